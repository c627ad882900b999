import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1
import NIOSSL

/// The pipeline of one connection: HTTP/1.1 with limits, idle time-out, and the way out of HTTP that attach needs.
struct HTTPConnection: ServerChildChannel, HTTPChannelHandler {
    typealias Value = NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>

    let responder: HTTPChannelHandler.Responder
    let limits: APIServerConfiguration.Limits
    /// `nil` = plain. Asked for at each connection, since files can be read anew.
    var tls: @Sendable () -> NIOSSLContext? = { nil }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            var decoding = NIOHTTPDecoderLimitConfiguration()
            decoding.maxHeaderFieldSize = limits.headerBytes
            decoding.maxHeaderListSize = limits.headerBytes
            decoding.maxHeaderFieldCount = limits.headerCount
            let encoder = HTTPResponseEncoder()
            // Bytes behind an upgrade request belong to the raw stream, hence `.forwardBytes`.
            let decoder = ByteToMessageHandler(
                HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes, limitConfiguration: decoding))
            let codec = HTTP1ToHTTPServerCodec(secure: false)
            let gate = HijackGate()
            let clock = RequestClock(limits)
            let pipeline = channel.pipeline.syncOperations
            if let context = tls() { try pipeline.addHandler(NIOSSLServerHandler(context: context)) }
            try pipeline.addHandler(gate)
            try pipeline.addHandler(clock)
            try pipeline.addHandler(encoder)
            try pipeline.addHandler(decoder)
            try pipeline.addHandler(codec)
            try pipeline.addHandler(
                HijackHandler(encoder: encoder, decoder: decoder, codec: codec, gate: gate, clock: clock))
            try pipeline.addHandler(HTTPConnectionStateHandler(idleTimeout: limits.idleTimeout, logger: logger))
            return try NIOAsyncChannel(
                wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
        }
    }

    func handle(value: Value, logger: Logger) async {
        await handleHTTP(asyncChannel: value, logger: logger)
    }
}
