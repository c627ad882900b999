import AsyncHTTPClient
import HTTPTypes
import HummingbirdCore
import NIOCore
import NIOHTTP1

/// The front end of the sites: takes a request to the site's container and streams both bodies, at the pace of whoever
/// is slower.
struct SiteProxy: Sendable {
    let simulation: Simulation
    let runtime: ContainerRuntime
    let watch: DisconnectWatch
    /// When a response is cut (230 s on Azure).
    let responseLimit: Duration
    /// When a connection that left HTTP is closed because nothing came over it.
    let idleLimit: Duration

    /// What the container, or the platform in its place, has to say.
    private enum Result {
        case page(Reply)
        case response(HTTPClientResponse)
        /// To a request for another protocol.
        case upgrade(ContainerUpgrade.Outcome)
    }

    /// Answers a request for a site. Throws when the client is gone or the response was cut: the connection then closes.
    @concurrent func respond(
        to request: Request, host: String, entry: RequestEntry, writer: consuming ResponseWriter, channel: any Channel
    ) async throws {
        guard Self.hasBody(request) else {
            return try await respond(
                to: request, nil, host: host, entry: entry, writer: writer, channel: channel)
        }
        let upload = Upload(of: request.body)
        do {
            try await respond(to: request, upload, host: host, entry: entry, writer: writer, channel: channel)
        } catch {
            await upload.stop()
            throw error
        }
        await upload.stop()
    }

    @concurrent private func respond(
        to request: Request, _ upload: Upload?, host: String, entry: RequestEntry, writer: consuming ResponseWriter,
        channel: any Channel
    ) async throws {
        let end = NIODeadline.now() + TimeAmount(responseLimit)
        let result: Result
        do { result = try await self.result(for: request, upload, host: host, channel: channel, end: end) } catch {
            entry.answered(status: 499)  // "client closed request", as proxies log it
            throw error
        }
        switch result {
        case .page(let reply):
            // The rest of the request's body was not read: the connection has no further use.
            try await SimulatorServer.write(
                reply, to: request, entry: entry, writer: writer,
                closes: Self.hasBody(request) || request.headers[.upgrade] != nil)
        case .upgrade(.refused(let head, let body)):
            // The parser read nothing behind a request for another protocol: the connection has no further use.
            let headers = head.headers.filter { !Self.hopByHop.contains($0.name.lowercased()) }
            let reply = Reply(
                status: Int(head.status.code), headers: headers.map { Reply.Header(name: $0.name, value: $0.value) },
                body: Array(body.readableBytesView))
            try await SimulatorServer.write(reply, to: request, entry: entry, writer: writer, closes: true)
        case .upgrade(.accepted(let head, let container)):
            entry.answered(status: Int(head.status.code))
            try await tunnel(channel, to: container, head: head)
        case .upgrade(.late):
            try await SimulatorServer.write(
                FrontEndPage.timedOut, to: request, entry: entry, writer: writer, closes: true)
        case .response(let response):
            var fields = Self.fields(of: response.headers)
            let hasBody = request.method != .head && response.status.mayHaveResponseBody
            if !hasBody, request.method != .head { fields[.contentLength] = nil }
            if request.headers[.upgrade] != nil { fields[.connection] = "close" }
            let head = HTTPResponse(status: .init(code: Int(response.status.code)), headerFields: fields)
            entry.answered(status: head.status.code)
            if hasBody {
                try await ResponseRelay(watch: watch).run(
                    from: response.body, to: try await writer.writeHead(head), channel: channel, end: end)
            } else {
                try await writer.writeResponse(head)
            }
        }
    }

    /// Waits for the container where it has to start, then for the head of its response.
    private func result(
        for request: Request, _ upload: Upload?, host: String, channel: any Channel, end: NIODeadline
    ) async throws -> Result {
        try await withThrowingTaskGroup(of: Result.self) { group in
            let (gone, signal) = AsyncStream<Never>.makeStream()
            watch.set(channel) { signal.finish() }
            defer {
                watch.clear(channel)
                group.cancelAll()
            }
            group.addTask {
                for await _ in gone {}
                throw ResponseRelay.ClientGone()
            }
            group.addTask {
                switch await simulation.answer({ .visit($0, host: host) }) {
                case .reply(let reply): return .page(reply)
                case .stream: return .page(FrontEndPage.badGateway)  // only Kudu is answered with one
                case .reset: return .page(FrontEndPage.badGateway)  // no fault resets a site's own connection
                case .forward(let instance):
                    return try await forward(request, upload, to: instance, on: channel.eventLoop, end: end)
                }
            }
            guard let result = try await group.next() else { throw ResponseRelay.ClientGone() }
            return result
        }
    }

    private func forward(
        _ request: Request, _ upload: Upload?, to instance: InstanceID, on loop: any EventLoop, end: NIODeadline
    ) async throws -> Result {
        guard let connection = runtime.connection(to: instance) else { return .page(FrontEndPage.badGateway) }
        if Self.isWebSocket(request) { return await upgrade(request, connection, on: loop, end: end) }
        var outgoing = connection.request(request.head.path ?? "/")
        outgoing.method = HTTPMethod(rawValue: request.method.rawValue)
        outgoing.headers = Self.headers(of: request)
        if let upload {
            let length = request.headers[.contentLength].flatMap { Int64($0) }
            outgoing.body = .stream(upload.body, length: length.map { .known($0) } ?? .unknown)
        }
        do {
            return .response(try await connection.client.execute(outgoing, deadline: end))
        } catch let error as HTTPClientError where error == .deadlineExceeded {
            return .page(FrontEndPage.timedOut)
        } catch {
            // The container closed the connection, or is gone.
            return .page(FrontEndPage.badGateway)
        }
    }

    // MARK: WebSockets

    /// Linux sites take WebSockets whatever `webSocketsEnabled` says (Azure docs, App Service on Linux FAQ, "Are
    /// WebSockets supported?", read 2026-11). The handshake itself is the container's.
    private static func isWebSocket(_ request: Request) -> Bool {
        request.method == .get && !hasBody(request)
            && request.headers[.upgrade]?.lowercased() == "websocket"
            && named(in: request.headers[.connection]).contains("upgrade")
    }

    private func upgrade(
        _ request: Request, _ connection: AgentConnection, on loop: any EventLoop, end: NIODeadline
    ) async -> Result {
        var headers = Self.headers(of: request)
        headers.add(name: "Connection", value: "Upgrade")
        headers.add(name: "Upgrade", value: "websocket")
        let head = HTTPRequestHead(
            version: .http1_1, method: .GET, uri: request.head.path ?? "/", headers: headers)
        do {
            return .upgrade(try await ContainerUpgrade(connection: connection, head: head).ask(on: loop, until: end))
        } catch {
            return .page(FrontEndPage.badGateway)
        }
    }

    /// Lets the bytes of both connections pass until one of them ends, or neither has had any for the limit. Always
    /// throws in the end: the client's connection has left HTTP for good.
    private func tunnel(_ client: any Channel, to container: any Channel, head: HTTPResponseHead) async throws {
        let idleLimit = idleLimit
        try await withTaskCancellationHandler {
            try await client.eventLoop.submit {
                let near = try client.pipeline.syncOperations.handler(type: TunnelEnd.self)
                let far = try container.pipeline.syncOperations.handler(type: TunnelEnd.self)
                TunnelEnd.join(near, far, greeting: Self.greeting(head), idleLimit: idleLimit)
            }.get()
            try await container.closeFuture.get()
            try await client.closeFuture.get()
        } onCancel: {
            container.close(promise: nil)
            client.close(promise: nil)
        }
        throw ResponseRelay.ClientGone()
    }

    /// The container's answer as it came.
    private static func greeting(_ head: HTTPResponseHead) -> ByteBuffer {
        var text = "HTTP/1.1 101 Switching Protocols\r\n"
        for (name, value) in head.headers { text += "\(name): \(value)\r\n" }
        return ByteBuffer(string: text + "\r\n")
    }

    // MARK: Headers

    /// Headers of one connection only (RFC 9110 §7.6.1).
    private static let hopByHop: Set<String> = [
        "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
    ]

    private static func hasBody(_ request: Request) -> Bool {
        request.headers[.transferEncoding] != nil || (request.headers[.contentLength] ?? "0") != "0"
    }

    /// The client's headers but for those of its connection, and the platform's own.
    private static func headers(of request: Request) -> HTTPHeaders {
        let named = Self.named(in: request.headers[.connection])
        var headers = HTTPHeaders()
        let authority = request.head.authority ?? ""
        headers.add(name: "Host", value: authority)
        for field in request.headers {
            let name = field.name.canonicalName
            if hopByHop.contains(name) || named.contains(name) || name == "content-length" || name == "host" {
                continue
            }
            headers.add(name: field.name.rawName, value: field.value)
        }
        headers.replaceOrAdd(name: "X-Forwarded-For", value: "127.0.0.1")
        headers.replaceOrAdd(name: "X-Forwarded-Proto", value: "https")
        headers.replaceOrAdd(name: "DISGUISED-HOST", value: authority)
        headers.replaceOrAdd(name: "WAS-DEFAULT-HOSTNAME", value: authority)
        return headers
    }

    private static func fields(of headers: HTTPHeaders) -> HTTPFields {
        let named = Self.named(in: headers["connection"].joined(separator: ","))
        var fields = HTTPFields()
        for (name, value) in headers {
            let lower = name.lowercased()
            if hopByHop.contains(lower) || named.contains(lower) { continue }
            if let name = HTTPField.Name(name) { fields.append(HTTPField(name: name, value: value)) }
        }
        return fields
    }

    private static func named(in connection: String?) -> Set<String> {
        Set((connection ?? "").split(separator: ",").map { $0.trimmingSpaces.lowercased() })
    }
}

extension Substring {
    /// Without spaces and tabs at the ends.
    fileprivate var trimmingSpaces: Substring {
        var text = self
        while text.first == " " || text.first == "\t" { text.removeFirst() }
        while text.last == " " || text.last == "\t" { text.removeLast() }
        return text
    }
}
