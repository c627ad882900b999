import NIOCore
import NIOEmbedded
import NIOHTTP1
import NIOHTTPCompression

/// Bodies that clients compress. Telemetry comes so; for Resource Manager nobody does it.
enum Decompression {
    /// A body is refused if it grows beyond this (ours: Application Insights takes 64 KiB an item and documents no sum).
    static let longestBytes = 16 * 1_024 * 1_024

    /// The content of a body in `gzip` or `deflate`; the body itself without an encoding. Nil if it cannot be read, is of
    /// another encoding, or grows too long.
    static func content(_ body: ByteBuffer, encoding: String?) -> ByteBuffer? {
        guard let encoding = encoding?.lowercased(), encoding != "identity" else { return body }
        guard encoding == "gzip" || encoding == "deflate" else { return nil }
        let channel = EmbeddedChannel(handler: NIOHTTPRequestDecompressor(limit: .size(longestBytes)))
        let head = HTTPRequestHead(
            version: .http1_1, method: .POST, uri: "/",
            headers: ["Content-Encoding": encoding, "Content-Length": String(body.readableBytes)])
        var content = ByteBuffer()
        do {
            try channel.writeInbound(HTTPServerRequestPart.head(head))
            try channel.writeInbound(HTTPServerRequestPart.body(body))
            try channel.writeInbound(HTTPServerRequestPart.end(nil))
            while let part = try channel.readInbound(as: HTTPServerRequestPart.self) {
                if case .body(var piece) = part { content.writeBuffer(&piece) }
            }
            _ = try channel.finish()
        } catch {
            // What is no gzip, is cut off, or is a bomb.
            return nil
        }
        return content
    }
}
