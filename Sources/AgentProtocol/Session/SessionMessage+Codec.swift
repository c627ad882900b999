/// Why bytes are no message of a session. `description` never quotes what was in it.
package struct SessionMessageError: Error, Equatable, CustomStringConvertible {
    package let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// One byte of type, four of channel (big endian), payload.
///
/// The payload of `data`, `end`, `ack`, `release` and the controls is binary; everything else is fields as in a run
/// request.
extension SessionMessage {
    static let headerBytes = 5
    /// Type, channel, stream and offset of `data`.
    package static let dataHeaderBytes = headerBytes + 9
    private static let signalBytes = 16
    private static let factCount = 64

    private enum Kind: UInt8 {
        case hello = 1
        case challenge = 2
        case proof = 3
        case open = 16
        case opened = 17
        case data = 18
        case end = 19
        case ack = 20
        case control = 21
        case result = 22
        case release = 23
        case refused = 24
        case controlSeen = 25
    }

    /// The bytes before a `data` message's payload, for senders that do not want to copy that.
    package static func dataHeader(channel: UInt32, stream: SessionStream, offset: UInt64) -> [UInt8] {
        var bytes = header(.data, channel)
        bytes.append(stream.rawValue)
        append(offset, to: &bytes)
        return bytes
    }

    /// The bytes of one binary WebSocket message.
    package func encoded() -> [UInt8] {
        switch self {
        case .hello(let hello):
            return Self.message(.hello) {
                $0.append("version", hello.version)
                $0.append("boot", hello.boot.hex)
                $0.append("nonce", hello.nonce)
            }
        case .challenge(let nonce, let code):
            return Self.message(.challenge) {
                $0.append("nonce", nonce)
                $0.append("code", code)
            }
        case .proof(let code): return Self.message(.proof) { $0.append("code", code) }
        case .open(let channel, let open): return Self.message(.open, channel) { open.write(to: &$0) }
        case .opened(let channel, let opened):
            return Self.message(.opened, channel) {
                $0.append("input", opened.inputOffset)
                $0.append("output", opened.outputOffset)
                $0.append("controls", opened.controlsSeen)
                Self.write(opened.facts, to: &$0)
            }
        case .data(let channel, let stream, let offset, let payload):
            return Self.dataHeader(channel: channel, stream: stream, offset: offset) + payload
        case .end(let channel, let offset): return Self.message(.end, channel, offset)
        case .ack(let channel, let offset): return Self.message(.ack, channel, offset)
        case .control(let channel, let number, let control):
            var bytes = Self.header(.control, channel)
            Self.append(number, to: &bytes)
            switch control {
            case .resize(let size):
                bytes.append(1)
                Self.append(size.rows, to: &bytes)
                Self.append(size.columns, to: &bytes)
            case .signal(let name):
                bytes.append(2)
                bytes.append(contentsOf: name.utf8)
            }
            return bytes
        case .controlSeen(let channel, let number):
            var bytes = Self.header(.controlSeen, channel)
            Self.append(number, to: &bytes)
            return bytes
        case .result(let channel, let result):
            return Self.message(.result, channel) {
                if let code = result.exitCode { $0.append("exit-code", code) }
                if let failure = result.failure { $0.append("failure", failure.rawValue) }
                $0.append("message", result.message)
                Self.write(result.facts, to: &$0)
            }
        case .release(let channel): return Self.header(.release, channel)
        case .refused(let channel, let refusal):
            return Self.message(.refused, channel) {
                $0.append("code", refusal.code.rawValue)
                $0.append("text", refusal.text)
            }
        }
    }

    /// Reads one message. Anything that is not exactly one is refused: an unknown type, stream or field, a field that
    /// is missing, a payload of the wrong length.
    package init(decoding bytes: UnsafeRawBufferPointer) throws(SessionMessageError) {
        guard bytes.count >= Self.headerBytes, bytes.count <= SessionLimit.messageBytes else {
            throw SessionMessageError("its length")
        }
        guard let kind = Kind(rawValue: bytes[0]) else { throw SessionMessageError("unknown type \(bytes[0])") }
        let channel = Self.load(UInt32.self, bytes, at: 1)
        let payload = UnsafeRawBufferPointer(rebasing: bytes[Self.headerBytes...])
        func checkLength(_ isRight: Bool) throws(SessionMessageError) {
            guard isRight else { throw SessionMessageError("the length of \(kind)") }
        }
        switch kind {
        case .data:
            try checkLength(payload.count > 9 && payload.count <= 9 + SessionLimit.dataBytes)
            guard let stream = SessionStream(rawValue: payload[0]) else { throw SessionMessageError("unknown stream") }
            self = .data(
                channel: channel, stream: stream, offset: Self.load(UInt64.self, payload, at: 1),
                bytes: Array(payload[9...]))
        case .end:
            try checkLength(payload.count == 8)
            self = .end(channel: channel, offset: Self.load(UInt64.self, payload, at: 0))
        case .ack:
            try checkLength(payload.count == 8)
            self = .ack(channel: channel, offset: Self.load(UInt64.self, payload, at: 0))
        case .release:
            try checkLength(payload.isEmpty)
            self = .release(channel: channel)
        case .controlSeen:
            try checkLength(payload.count == 4)
            self = .controlSeen(channel: channel, number: Self.load(UInt32.self, payload, at: 0))
        case .control:
            try checkLength(payload.count >= 5)
            self = .control(
                channel: channel, number: Self.load(UInt32.self, payload, at: 0), try Self.control(payload))
        case .hello, .challenge, .proof, .open, .opened, .result, .refused:
            do throws(FieldError) {
                self = try Self.fieldMessage(kind, channel, SessionFields(payload))
            } catch {
                throw SessionMessageError("\(kind): \(error.description)")
            }
        }
    }

    private static func control(_ payload: UnsafeRawBufferPointer) throws(SessionMessageError) -> SessionControl {
        let rest = payload[5...]
        switch payload[4] {
        case 1 where rest.count == 4:
            return .resize(
                TerminalSize(rows: load(UInt16.self, payload, at: 5), columns: load(UInt16.self, payload, at: 7)))
        case 2 where (1...signalBytes).contains(rest.count) && rest.allSatisfy({ (0x21...0x7e).contains($0) }):
            return .signal(String(decoding: rest, as: UTF8.self))
        default: throw SessionMessageError("unknown control")
        }
    }

    private static func fieldMessage(
        _ kind: Kind, _ channel: UInt32, _ fields: consuming SessionFields
    ) throws(FieldError) -> SessionMessage {
        if channel != 0, kind == .hello || kind == .challenge || kind == .proof {
            throw FieldError(description: "it belongs to no channel")
        }
        let message: SessionMessage
        switch kind {
        case .hello:
            let version = try fields.text("version")
            guard let boot = BootID(try fields.text("boot")) else { throw FieldError(description: "no boot id") }
            message = .hello(SessionHello(version: version, boot: boot, nonce: try fields.digits("nonce", count: 32)))
        case .challenge:
            message = .challenge(
                nonce: try fields.digits("nonce", count: 32), code: try fields.digits("code", count: 64))
        case .proof: message = .proof(code: try fields.digits("code", count: 64))
        case .open: message = .open(channel: channel, try SessionOpen(&fields))
        case .opened:
            let input: UInt64 = try fields.number("input")
            let output: UInt64 = try fields.number("output")
            let controls: UInt32 = try fields.number("controls")
            message = .opened(
                channel: channel,
                SessionOpened(
                    inputOffset: input, outputOffset: output, controlsSeen: controls,
                    facts: try fields.facts(limit: factCount)))
        case .result: message = .result(channel: channel, try result(&fields))
        case .refused:
            guard let code = SessionRefusal.Code(rawValue: try fields.text("code")) else {
                throw FieldError(description: "unknown code")
            }
            message = .refused(channel: channel, SessionRefusal(code, try fields.text("text")))
        case .data, .end, .ack, .control, .release, .controlSeen: throw FieldError(description: "it has no fields")
        }
        try fields.checkAllTaken()
        return message
    }

    private static func result(_ fields: inout SessionFields) throws(FieldError) -> SessionResult {
        var result = SessionResult(message: try fields.text("message"))
        if fields.has("exit-code") {
            let code: UInt8 = try fields.number("exit-code")
            result.exitCode = Int(code)
        }
        if fields.has("failure") {
            guard let failure = SessionResult.Failure(rawValue: try fields.text("failure")) else {
                throw FieldError(description: "unknown failure")
            }
            result.failure = failure
        }
        result.facts = try fields.facts(limit: factCount)
        return result
    }

    private static func write(_ facts: [String: String], to fields: inout FieldWriter) {
        for (name, value) in facts.sorted(by: { $0.key < $1.key }) {
            fields.append(SessionFields.factPrefix + name, value)
        }
    }

    // MARK: bytes

    private static func header(_ kind: Kind, _ channel: UInt32) -> [UInt8] {
        var bytes = [kind.rawValue]
        append(channel, to: &bytes)
        return bytes
    }

    private static func message(_ kind: Kind, _ channel: UInt32 = 0, fields: (inout FieldWriter) -> Void) -> [UInt8] {
        var writer = FieldWriter()
        fields(&writer)
        return header(kind, channel) + writer.bytes
    }

    private static func message(_ kind: Kind, _ channel: UInt32, _ offset: UInt64) -> [UInt8] {
        var bytes = header(kind, channel)
        append(offset, to: &bytes)
        return bytes
    }

    private static func append<Number: FixedWidthInteger>(_ number: Number, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: number.bigEndian) { bytes.append(contentsOf: $0) }
    }

    private static func load<Number: FixedWidthInteger>(
        _: Number.Type, _ bytes: UnsafeRawBufferPointer, at offset: Int
    ) -> Number {
        Number(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Number.self))
    }
}
