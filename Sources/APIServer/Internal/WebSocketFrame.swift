import Crypto
import Foundation
import NIOCore

/// One frame of a WebSocket (RFC 6455, section 5). Pure: bytes in, frames out.
///
/// Our own and not NIO's handlers, since a connection that left HTTP is a stream of bytes here already.
struct WebSocketFrame: Hashable, Sendable {
    enum Opcode: UInt8, Hashable, Sendable {
        case continuation = 0
        case text = 1
        case binary = 2
        case close = 8
        case ping = 9
        case pong = 10

        var isControl: Bool { rawValue >= 8 }
    }

    let opcode: Opcode
    let isFinal: Bool
    let payload: ByteBuffer

    /// As servers send it: whole and unmasked.
    static func encode(_ opcode: Opcode, _ payload: ByteBuffer) -> ByteBuffer {
        var frame = ByteBuffer()
        frame.reserveCapacity(payload.readableBytes + 10)
        frame.writeInteger(0x80 | opcode.rawValue)
        switch payload.readableBytes {
        case ..<126: frame.writeInteger(UInt8(payload.readableBytes))
        case ..<65_536: frame.writeMultipleIntegers(UInt8(126), UInt16(payload.readableBytes))
        default: frame.writeMultipleIntegers(UInt8(127), UInt64(payload.readableBytes))
        }
        frame.writeImmutableBuffer(payload)
        return frame
    }

    static func encodeClose(_ code: CloseCode, _ reason: String = "") -> ByteBuffer {
        var payload = ByteBuffer()
        payload.writeInteger(code.rawValue)
        // A control frame holds 125 bytes at most; a reason that is cut inside a character would be no UTF-8.
        var text = Substring(reason)
        while text.utf8.count > 123 { text.removeLast() }
        payload.writeSubstring(text)
        return encode(.close, payload)
    }

    enum CloseCode: UInt16, Hashable, Sendable {
        case normal = 1000
        case goingAway = 1001
        case protocolError = 1002
        case internalError = 1011
    }

    /// What the server answers to a client's `Sec-WebSocket-Key` (RFC 6455, section 4.2.2).
    static func acceptance(of key: String) -> String {
        Data(Insecure.SHA1.hash(data: Data((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)))
            .base64EncodedString()
    }
}

/// Takes a client's bytes apart.
struct WebSocketParser: Sendable {
    struct Violation: Error, Hashable, Sendable {
        let reason: String
    }

    /// Bound of a frame's payload. Clients of this API have nothing to say but pings and the end.
    static let maximumPayloadBytes = 64 << 10

    private var buffer = ByteBuffer()

    mutating func append(_ bytes: ByteBuffer) {
        buffer.writeImmutableBuffer(bytes)
    }

    /// `nil` while the next frame is not complete. Throws what ends the connection.
    mutating func next() throws(Violation) -> WebSocketFrame? {
        var rest = buffer
        guard let head = rest.readMultipleIntegers(as: (UInt8, UInt8).self) else { return nil }
        guard head.0 & 0x70 == 0, let opcode = WebSocketFrame.Opcode(rawValue: head.0 & 0x0f) else {
            throw Violation(reason: "an unknown kind of frame")
        }
        guard head.1 & 0x80 != 0 else { throw Violation(reason: "a client's frame must be masked") }
        let isFinal = head.0 & 0x80 != 0
        let announced: Int
        switch head.1 & 0x7f {
        case 126:
            guard let length = rest.readInteger(as: UInt16.self) else { return nil }
            announced = Int(length)
        case 127:
            guard let length = rest.readInteger(as: UInt64.self) else { return nil }
            announced = Int(clamping: length)
        case let length: announced = Int(length)
        }
        guard !opcode.isControl || isFinal && announced <= 125 else {
            throw Violation(reason: "a control frame must be whole and short")
        }
        guard announced <= WebSocketParser.maximumPayloadBytes else { throw Violation(reason: "a frame is too long") }
        guard let mask = rest.readBytes(length: 4), let masked = rest.readBytes(length: announced) else { return nil }
        let payload = masked.enumerated().map { $0.element ^ mask[$0.offset & 3] }
        buffer = rest
        return WebSocketFrame(opcode: opcode, isFinal: isFinal, payload: ByteBuffer(bytes: payload))
    }
}
