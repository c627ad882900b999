import AsyncHTTPClient
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import Testing

@testable import AzureSimulator

/// The front end between a client and a site.
@Suite(.timeLimit(.minutes(1))) struct ProxyTests {
    @Test func `status, target and headers pass, but for those of one connection`() async throws {
        try await RunningSimulator.run { simulator in
            try await SiteServer.serve("a1", in: simulator) {
                var request = simulator.visit("a1", path: "/headers?a=%2Fb%20c&d=%C3%BC")
                request.headers.add(name: "X-Mine", value: "1")
                request.headers.add(name: "Connection", value: "x-drop")
                request.headers.add(name: "X-Drop", value: "1")
                request.headers.add(name: "TE", value: "trailers")
                let response = try await simulator.send(request)
                #expect(response.status == 299)
                #expect(response.text.contains("target: /headers?a=%2Fb%20c&d=%C3%BC\n"))
                #expect(response.text.contains("host: a1.azurewebsites.net\n"))
                #expect(response.text.contains("x-mine: 1\n"))
                #expect(!response.text.contains("x-drop"))
                #expect(!response.text.contains("te: "))
                #expect(response.text.contains("x-forwarded-proto: https\n"))
                #expect(response.headers["vary"] == ["public"])
                #expect(response.headers["server"] == [])
            }
        }
    }

    @Test(arguments: [true, false])
    func `bodies stream both ways`(isLengthKnown: Bool) async throws {
        try await RunningSimulator.run { simulator in
            try await SiteServer.serve("a1", in: simulator) {
                var request = simulator.visit("a1", path: "/echo", method: .POST)
                let pieces = (0..<64).map { ByteBuffer(repeating: UInt8($0), count: 100_000) }
                let stream = AsyncStream<ByteBuffer> { continuation in
                    for piece in pieces { continuation.yield(piece) }
                    continuation.finish()
                }
                request.body = .stream(stream, length: isLengthKnown ? .known(Int64(6_400_000)) : .unknown)
                let response = try await simulator.send(request)
                #expect(response.status == 200)
                #expect(response.body == pieces.flatMap { Array($0.readableBytesView) })
                let large = try await simulator.send(simulator.visit("a1", path: "/large"))
                #expect(large.body.count == 64 << 20)
            }
        }
    }

    @Test func `many requests wait at the same time`() async throws {
        let waiting = NIOLockedValueBox(0)
        try await RunningSimulator.run { simulator in
            try await SiteServer.serve("a1", in: simulator, waiting: waiting) {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<30 {
                        group.addTask { _ = try await simulator.send(simulator.visit("a1", path: "/wait")) }
                    }
                    // The client's own connections are bounded at eight.
                    try await simulator.until { waiting.withLockedValue { $0 } == 8 }
                    #expect(waiting.withLockedValue { $0 } == 8)
                    group.cancelAll()
                }
                // A client that goes away takes its request in the container with it.
                try await simulator.until { waiting.withLockedValue { $0 } == 0 }
            }
        }
    }

    @Test func `a container that hangs up is a bad gateway`() async throws {
        try await RunningSimulator.run { simulator in
            try await SiteServer.serve("a1", in: simulator) {
                let page = try await simulator.send(simulator.visit("a1", path: "/hang-up"))
                #expect(page.status == 502)
                // The connection to the front end goes on.
                #expect(try await simulator.send(simulator.visit("a1")).status == 200)
            }
        }
    }

    @Test func `a client that goes away in the midst of a response ends it in the container`() async throws {
        let waiting = NIOLockedValueBox(0)
        try await RunningSimulator.run { simulator in
            try await SiteServer.serve("a1", in: simulator, waiting: waiting) {
                for _ in 0..<10 {
                    let reading = Task {
                        let response = try await simulator.client.execute(
                            simulator.visit("a1", path: "/endless"), timeout: .seconds(30))
                        for try await _ in response.body where Task.isCancelled { break }
                    }
                    try await simulator.until { waiting.withLockedValue { $0 } == 1 }
                    reading.cancel()
                    _ = await reading.result
                    try await simulator.until { waiting.withLockedValue { $0 } == 0 }
                }
                #expect(try await simulator.send(simulator.visit("a1")).status == 200)
            }
        }
    }

    @Test func `an answer that takes too long is a page, and a response that does is cut`() async throws {
        try await RunningSimulator.run {
            $0.responseLimit = .milliseconds(1_500)
        } body: { simulator in
            try await SiteServer.serve("a1", in: simulator) {
                let start = ContinuousClock.now
                let page = try await simulator.send(simulator.visit("a1", path: "/wait"))
                #expect(page.status == 504)
                #expect(ContinuousClock.now - start >= .milliseconds(1_500))
                await #expect(throws: (any Error).self) {
                    try await simulator.send(simulator.visit("a1", path: "/half"))
                }
            }
        }
    }
}
