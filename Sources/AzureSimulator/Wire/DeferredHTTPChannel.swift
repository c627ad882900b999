import HummingbirdCore
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOSSL

/// HTTP/1.1 on a connection, with TLS below it or without, set up when the server has taken the connection and not while it is accepted.
///
/// A server that ends drops connections that it accepted and did not take yet. Hummingbird's own channel has its
/// asynchronous ends by then, and NIO ends the process when those are dropped unused ("Deinited NIOAsyncWriter without
/// calling finish()"; seen with Hummingbird 2.28.1 and NIO 2.101.2 when a client connected during a shutdown).
struct DeferredHTTPChannel: ServerChildChannel {
    let base: HTTP1Channel
    /// Nil for plain HTTP.
    var tls: NIOSSLContext?

    /// A connection that nobody reads from yet. It closes if it is dropped.
    final class Value: ServerChildChannelValue {
        let channel: any Channel
        private let isTaken = NIOLockedValueBox(false)

        init(_ channel: any Channel) { self.channel = channel }

        fileprivate func take() { isTaken.withLockedValue { $0 = true } }

        deinit { if !isTaken.withLockedValue({ $0 }) { channel.close(promise: nil) } }
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        // Nothing may be read before there is a handler for it.
        channel.setOption(.autoRead, value: false).map { Value(channel) }
    }

    func handle(value: Value, logger: Logger) async {
        let channel = value.channel
        value.take()
        do {
            let http = try await channel.eventLoop.flatSubmit { () -> EventLoopFuture<HTTP1Channel.Value> in
                guard channel.isActive else {
                    return channel.eventLoop.makeFailedFuture(ChannelError.ioOnClosedChannel)
                }
                do {
                    let pipeline = channel.pipeline.syncOperations
                    if let tls { try pipeline.addHandler(NIOSSLServerHandler(context: tls)) }
                    // Below HTTP, for connections that leave it.
                    try pipeline.addHandler(TunnelEnd(holdsBytes: false))
                } catch {
                    return channel.eventLoop.makeFailedFuture(error)
                }
                return base.setup(channel: channel, logger: logger)
            }.get()
            // Reads begin when the task below is sure to run; it reports a connection that broke meanwhile.
            channel.setOption(.autoRead, value: true).whenFailure { _ in channel.close(promise: nil) }
            await base.handle(value: http, logger: logger)
        } catch {
            logger.debug("a connection was lost before its first request", metadata: ["error": "\(error)"])
            channel.close(promise: nil)
        }
    }
}
