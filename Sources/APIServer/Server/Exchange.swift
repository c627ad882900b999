import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTPTypes
import ServiceLifecycle

/// One request on its connection.
struct Exchange: Sendable {
    let request: Request
    let target: RequestTarget
    let channel: any Channel
    let limits: APIServerConfiguration.Limits
    let logger: Logger

    var method: HTTPRequest.Method { request.method }
    var query: RequestTarget.Query { target.query }

    /// The whole body. Throws `NIOTooManyBytesError` beyond the limit; what the client goes on to send is then not read, so the reply has to close.
    func body(upTo limit: Int) async throws -> ByteBuffer {
        if let announced = request.headers[.contentLength].flatMap({ Int($0) }), announced > limit {
            throw NIOTooManyBytesError(maxBytes: limit)
        }
        return try await request.body.collect(upTo: limit)
    }

    /// Lets the body take as long as its bytes keep coming: an archive's source may be slow.
    func streamBody() async throws {
        try await channel.eventLoop.submit {
            try channel.pipeline.syncOperations.handler(type: RequestClock.self).bodyStreams()
        }.get()
    }

    /// For what may take as long as a container runs: ends with `CancellationError` when the client hangs up or the daemon stops.
    /// A half-closed connection is no hang-up: clients half-close when they have nothing more to say.
    func untilHangUp<Value: Sendable>(_ operation: @escaping @Sendable () async throws -> Value) async throws -> Value {
        try await withThrowingTaskGroup(of: Value?.self) { group in
            group.addTask { try await operation() }
            group.addTask {
                await closed()
                return nil
            }
            group.addTask {
                try await gracefulShutdown()
                return nil
            }
            defer { group.cancelAll() }
            guard let first = try await group.next(), let value = first else { throw CancellationError() }
            return value
        }
    }

    /// Writes a piece of the response's body, from whichever task; for use after the head and before the end. Returns when the socket took it.
    func write(_ buffer: ByteBuffer) async throws {
        try await channel.writeAndFlush(HTTPResponsePart.body(buffer))
    }

    /// Returns when the connection is closed both ways, or when the task is cancelled.
    private func closed() async {
        let (stream, continuation) = AsyncStream.makeStream(of: Never.self)
        channel.closeFuture.whenComplete { _ in continuation.finish() }
        for await _ in stream {}
    }
}

/// A request's path and query, decoded.
struct RequestTarget: Hashable, Sendable {
    /// Parts between the slashes, percent-decoded after they were taken apart.
    let segments: [String]
    let query: Query

    struct Query: Hashable, Sendable {
        let pairs: [(name: String, value: String)]

        /// The first value of the name.
        subscript(name: String) -> String? { pairs.first { $0.name == name }?.value }

        /// As moby reads it (v28, `daemon/server/httputils/form.go`): absent, empty, 0, no, false and none are false, all else is true.
        func flag(_ name: String, default fallback: Bool = false) -> Bool {
            guard let text = self[name] else { return fallback }
            return !["", "0", "no", "false", "none"].contains(text.trimmed.lowercased())
        }

        static func == (left: Query, right: Query) -> Bool { left.pairs.elementsEqual(right.pairs, by: ==) }
        func hash(into hasher: inout Hasher) { for pair in pairs { hasher.combine(pair.name) } }
    }

    init(_ text: String) {
        let parts = text.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        segments = (parts.first ?? "").split(separator: "/").map { RequestTarget.decode($0, plusIsSpace: false) }
        let pairs = parts.count < 2 ? [] : parts[1].split(separator: "&")
        query = Query(
            pairs: pairs.map { pair in
                let halves = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                return (
                    RequestTarget.decode(halves[0], plusIsSpace: true),
                    halves.count < 2 ? "" : RequestTarget.decode(halves[1], plusIsSpace: true)
                )
            })
    }

    /// Malformed escapes stay as they are.
    private static func decode(_ text: Substring, plusIsSpace: Bool) -> String {
        guard text.utf8.contains(where: { $0 == UInt8(ascii: "%") || plusIsSpace && $0 == UInt8(ascii: "+") }) else {
            return String(text)
        }
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            let digits = rest.prefix(2)
            if byte == UInt8(ascii: "%"), digits.count == 2,
                digits.allSatisfy({ Character(UnicodeScalar($0)).isHexDigit }),
                let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(plusIsSpace && byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension String {
    var trimmed: Substring {
        var text = self[...]
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }
}

extension Response {
    static func json(_ value: JSON, status: HTTPResponse.Status = .ok) -> Response {
        Response(status: status, headers: [.contentType: "application/json"], body: .init(byteBuffer: value.buffer))
    }
}
