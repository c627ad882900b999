import NIOCore
import NIOPosix

/// One connection to the server's socket, byte by byte, to see exactly what is on the wire.
final class RawClient: Sendable {
    private let channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>

    private init(_ channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>) {
        self.channel = channel
    }

    static func with<Value: Sendable>(
        _ path: String, _ body: @Sendable (Session) async throws -> Value
    ) async throws -> Value {
        try await with(try SocketAddress(unixDomainSocketPath: path), body)
    }

    /// On this machine.
    static func with<Value: Sendable>(
        port: Int, _ body: @Sendable (Session) async throws -> Value
    ) async throws -> Value {
        try await with(try SocketAddress(ipAddress: "127.0.0.1", port: port), body)
    }

    private static func with<Value: Sendable>(
        _ address: SocketAddress, _ body: @Sendable (Session) async throws -> Value
    ) async throws -> Value {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .connect(to: address) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                        wrappingChannelSynchronously: channel,
                        configuration: .init(isOutboundHalfClosureEnabled: true))
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            try await body(Session(iterator: inbound.makeAsyncIterator(), outbound: outbound))
        }
    }

    /// Used by one task.
    final class Session {
        private var iterator: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
        private let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
        private var buffer = ByteBuffer()

        init(
            iterator: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator,
            outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
        ) {
            self.iterator = iterator
            self.outbound = outbound
        }

        func send(_ text: String) async throws {
            try await outbound.write(ByteBuffer(string: text))
        }

        func send(_ bytes: ByteBuffer) async throws {
            try await outbound.write(bytes)
        }

        func halfClose() {
            outbound.finish()
        }

        /// Up to and with the text; what came before the end if it ends first.
        func read(through text: String) async throws -> String {
            while true {
                let all = String(buffer: buffer)
                if let range = all.firstRange(of: text) {
                    let taken = String(all[..<range.upperBound])
                    buffer.moveReaderIndex(forwardBy: taken.utf8.count)
                    return taken
                }
                guard try await fill() else { return all }
            }
        }

        /// What one read of the socket gave.
        func piece() async throws -> String {
            if buffer.readableBytes == 0 { _ = try await fill() }
            defer { buffer.clear() }
            return String(buffer: buffer)
        }

        func readToEnd() async throws -> ByteBuffer {
            while try await fill() {}
            return buffer
        }

        func read(bytes count: Int) async throws -> ByteBuffer {
            while buffer.readableBytes < count {
                guard try await fill() else { return buffer }
            }
            return buffer.readSlice(length: count) ?? ByteBuffer()
        }

        /// A whole response, whose body is as long as its head says.
        func response() async throws -> RawResponse {
            let head = try await read(through: "\r\n\r\n")
            var response = RawResponse(head: head)
            if let length = response.headers["content-length"].flatMap({ Int($0) }) {
                response.body = String(buffer: try await read(bytes: length))
            } else if response.headers["transfer-encoding"] == "chunked" {
                while true {
                    let size = Int(try await read(through: "\r\n").prefix { $0.isHexDigit }, radix: 16) ?? 0
                    response.body += String(buffer: try await read(bytes: size))
                    _ = try await read(through: "\r\n")
                    if size == 0 { break }
                }
            }
            return response
        }

        private func fill() async throws -> Bool {
            guard var more = try await iterator.next(isolation: #isolation) else { return false }
            buffer.writeBuffer(&more)
            return true
        }
    }
}

struct RawResponse: Sendable {
    let status: Int
    /// By lower-case name.
    let headers: [String: String]
    var body = ""

    init(head: String) {
        let lines = head.split(separator: "\r\n")
        let words = (lines.first ?? "").split(separator: " ")
        status = words.count > 1 ? Int(words[1]) ?? 0 : 0
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            if parts.count == 2 { headers[parts[0].lowercased()] = parts[1].drop(while: { $0 == " " }).description }
        }
        self.headers = headers
    }
}

extension TestServer {
    /// One request on a connection of its own.
    @discardableResult
    func request(
        _ method: String, _ path: String, body: String? = nil, type: String = "application/json",
        headers: String = ""
    ) async throws -> RawResponse {
        var text = "\(method) \(path) HTTP/1.1\r\nHost: any\r\n\(headers)"
        if let body { text += "Content-Type: \(type)\r\nContent-Length: \(body.utf8.count)\r\n" }
        if body == nil, method == "POST" { text += "Content-Length: 0\r\n" }
        text += "\r\n" + (body ?? "")
        let request = text
        return try await RawClient.with(socketPath) { session in
            try await session.send(request)
            return method == "HEAD"
                ? RawResponse(head: try await session.read(through: "\r\n\r\n")) : try await session.response()
        }
    }

    /// Makes alpine known and creates a container; returns its id.
    func create(_ words: [String], name: String? = nil, more: String = "") async throws -> String {
        _ = try await request("POST", "/images/create?fromImage=alpine&tag=latest")
        let command = words.map { "\"\($0)\"" }.joined(separator: ",")
        let response = try await request(
            "POST", "/containers/create" + (name.map { "?name=\($0)" } ?? ""),
            body: "{\"Image\":\"alpine\",\"Cmd\":[\(command)]\(more)}")
        guard response.status == 201, let id = response.body.firstMatch(of: /"Id":"([0-9a-f]{64})"/) else {
            throw CreateFailed(response: response)
        }
        return String(id.1)
    }

    struct CreateFailed: Error {
        let response: RawResponse
    }
}
