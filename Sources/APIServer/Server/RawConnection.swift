import NIOCore
import NIOHTTPTypes

/// A connection that left HTTP: bytes both ways.
struct RawConnection: Sendable {
    typealias Inbound = NIOThrowingAsyncSequenceProducer<
        ByteBuffer, any Error, NIOAsyncSequenceProducerBackPressureStrategies.HighLowWatermark, HijackDelegate
    >
    /// The peer's bytes, up to its half-close. For one reader; when that is gone the bytes are dropped.
    let inbound: Inbound
    let channel: any Channel

    /// Returns when the socket took the bytes, which is the back-pressure. Throws when the peer is gone.
    func write(_ buffer: ByteBuffer) async throws {
        try await channel.writeAndFlush(HTTPResponsePart.body(buffer))
    }
}

extension Channel {
    /// Takes this connection out of HTTP, for a handler that then returns a response whose head is written verbatim and whose end closes the connection.
    /// Throws when the peer is gone already.
    func hijack() async throws -> RawConnection {
        try await eventLoop.flatSubmit {
            do {
                let handler = try self.pipeline.syncOperations.handler(type: HijackHandler.self)
                return handler.begin() ?? self.eventLoop.makeFailedFuture(ChannelError.ioOnClosedChannel)
            } catch {
                return self.eventLoop.makeFailedFuture(error)
            }
        }.get()
    }
}

extension RawConnection {
    /// For output whose end decides more than its reader: a peer that is gone is noticed by the connection's end, and what was to be written is lost.
    func tryWrite(_ buffer: ByteBuffer) async {
        do { try await write(buffer) } catch {}
    }
}
