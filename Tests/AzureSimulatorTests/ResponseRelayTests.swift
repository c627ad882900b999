import HTTPTypes
import HummingbirdCore
import NIOCore
import NIOPosix
import Testing

@testable import AzureSimulator

/// How a response that is passed on ends, whatever ends it: a stream that is let go without its end ends the process.
@Suite(.timeLimit(.minutes(1))) struct ResponseRelayTests {
    private struct Broken: Error {}

    /// The client's end: `nil` is the end of the body.
    private struct Client: ResponseBodyWriter {
        let received: AsyncStream<ByteBuffer?>.Continuation
        let isGone: Bool

        mutating func write(_ buffer: ByteBuffer) async throws {
            if isGone { throw Broken() }
            received.yield(buffer)
        }

        consuming func finish(_ trailingHeaders: HTTPFields?) async throws { received.yield(nil) }
    }

    /// Both ends of a relay.
    private struct Line: Sendable {
        let channel: any Channel
        let container: AsyncThrowingStream<ByteBuffer, any Error>
        let sending: AsyncThrowingStream<ByteBuffer, any Error>.Continuation
        let received: AsyncStream<ByteBuffer?>
        let receiving: AsyncStream<ByteBuffer?>.Continuation

        static func with(_ body: (Line) async throws -> Void) async throws {
            let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .bind(host: "127.0.0.1", port: 0).get()
            let (container, sending) = AsyncThrowingStream<ByteBuffer, any Error>.makeStream()
            let (received, receiving) = AsyncStream<ByteBuffer?>.makeStream()
            let line = Line(
                channel: channel, container: container, sending: sending, received: received, receiving: receiving)
            try await body(line)
            if channel.isActive { try await channel.close() }
        }

        func relay(isClientGone: Bool = false, limit: TimeAmount = .seconds(50)) async throws {
            try await ResponseRelay(watch: DisconnectWatch()).run(
                from: container, to: Client(received: receiving, isGone: isClientGone), channel: channel,
                end: .now() + limit)
        }
    }

    @Test func `what the container sends arrives, and its end`() async throws {
        try await Line.with { line in
            for text in ["a", "b"] { line.sending.yield(ByteBuffer(string: text)) }
            line.sending.finish()
            try await line.relay()
            line.receiving.finish()
            var all: [String?] = []
            for await buffer in line.received { all.append(buffer.map { String(buffer: $0) }) }
            #expect(all == ["a", "b", nil])
        }
    }

    @Test func `cancelled in the midst, it ends without the body's end and lets the container go`() async throws {
        for count in [0, 1, 7] {
            try await Line.with { line in
                let relaying = Task { try await line.relay() }
                var received = line.received.makeAsyncIterator()
                for _ in 0..<count {
                    line.sending.yield(ByteBuffer(string: "x"))
                    #expect(await received.next() == ByteBuffer(string: "x"))
                }
                relaying.cancel()
                await #expect(throws: CancellationError.self) { try await relaying.value }
                // Nothing came after what was read; and nobody takes what the container still has to say.
                line.receiving.finish()
                #expect(await received.next() == nil)
                guard case .terminated = line.sending.yield(ByteBuffer(string: "late")) else {
                    Issue.record("the container is still read")
                    return
                }
            }
        }
    }

    @Test func `a client that is gone, a container that breaks off and the limit end it with an error`() async throws {
        try await Line.with { line in
            line.sending.yield(ByteBuffer(string: "x"))
            await #expect(throws: Broken.self) { try await line.relay(isClientGone: true) }
        }
        try await Line.with { line in
            line.sending.finish(throwing: Broken())
            await #expect(throws: Broken.self) { try await line.relay() }
        }
        try await Line.with { line in
            await #expect(throws: ResponseRelay.ResponseCut.self) { try await line.relay(limit: .zero) }
        }
        try await Line.with { line in
            try await line.channel.close()
            await #expect(throws: ResponseRelay.ClientGone.self) { try await line.relay() }
        }
    }
}
