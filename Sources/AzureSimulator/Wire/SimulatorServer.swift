import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore

/// The HTTP face of the simulated Azure: one address for Resource Manager, login, registry and the front end of all
/// sites, told apart by `Host` and path.
struct SimulatorServer: Sendable {
    let simulation: Simulation
    let proxy: SiteProxy
    let requests: Journal
    let logger: Logger

    /// Bodies of the control plane; Resource Manager's own limit is 4 MiB (Azure docs, request limits, read 2025-05).
    private static let bodyLimitBytes = 4 * 1_024 * 1_024

    /// Answers one request of a connection. Throws when the connection is of no more use.
    ///
    /// Here and below `@concurrent`, as the server's own functions are: the writer cannot change its isolation.
    @concurrent func respond(
        to request: Request, writer: consuming ResponseWriter, channel: any Channel
    ) async throws {
        let host = Self.hostName(request.head.authority ?? "")
        let isControl = Self.isLoopback(host)
        let entry = RequestEntry(
            request.head, plane: isControl ? Self.plane(of: request.head.path ?? "/") : "site", journal: requests)
        if isControl {
            try await control(request, entry: entry, writer: writer)
        } else {
            try await proxy.respond(to: request, host: host, entry: entry, writer: writer, channel: channel)
        }
    }

    @concurrent private func control(
        _ request: Request, entry: RequestEntry, writer: consuming ResponseWriter
    ) async throws {
        let body: ByteBuffer
        do { body = try await request.body.collect(upTo: Self.bodyLimitBytes) } catch is NIOTooManyBytesError {
            let reply = AzureErrorBody.resourceManager(
                413, "RequestEntityTooLarge", "The request content size exceeds the maximum size of 4 MB.")
            try await Self.write(reply, to: request, entry: entry, writer: writer, closes: true)
            return
        }
        let control = ControlRequest(request, body: Array(body.readableBytesView))
        guard case .reply(let reply) = await simulation.answer({ .request($0, control) }) else {
            throw SimulatorError(code: .configuration, message: "a request of the control plane was forwarded")
        }
        try await Self.write(reply, to: request, entry: entry, writer: writer)
    }

    // MARK: Writing

    /// Writes a whole reply in one piece.
    @concurrent static func write(
        _ reply: Reply, to request: Request, entry: RequestEntry, writer: consuming ResponseWriter, closes: Bool = false
    ) async throws {
        entry.answered(status: reply.status)
        var fields = HTTPFields()
        for header in reply.headers {
            if let name = HTTPField.Name(header.name) { fields.append(HTTPField(name: name, value: header.value)) }
        }
        if fields[.contentLength] == nil, reply.status != 204 { fields[.contentLength] = String(reply.body.count) }
        if closes { fields[.connection] = "close" }
        let head = HTTPResponse(status: .init(code: reply.status), headerFields: fields)
        if reply.body.isEmpty || request.method == .head {
            try await writer.writeResponse(head)
        } else {
            try await writer.write(response: head, body: ResponseBody(byteBuffer: ByteBuffer(bytes: reply.body)))
        }
    }

    // MARK: Which plane

    /// The host of an authority, in lower case and without the port.
    static func hostName(_ authority: String) -> String {
        let host = authority.lowercased()
        if host.hasPrefix("[") { return String(host.prefix { $0 != "]" }.dropFirst()) }
        return String(host.prefix { $0 != ":" })
    }

    /// The simulator's own address is the control plane; a request without a host can mean nothing else.
    static func isLoopback(_ host: String) -> Bool {
        host.isEmpty || host == "localhost" || host == "::1" || host.hasPrefix("127.")
    }

    private static func plane(of path: String) -> String {
        if path.hasPrefix("/v2/") || path == "/v2" { return "registry" }
        return path.split(separator: "?")[0].hasSuffix("/oauth2/v2.0/token") ? "login" : "arm"
    }
}

/// A request on its way into the journal of requests: never its headers or bodies, which hold secrets.
struct RequestEntry: Sendable {
    private let head: HTTPRequest
    private let plane: String
    private let journal: Journal
    private let start = ContinuousClock.now

    init(_ head: HTTPRequest, plane: String, journal: Journal) {
        self.head = head
        self.plane = plane
        self.journal = journal
    }

    /// To be called before the first byte of the answer goes out: who has an answer finds its line.
    func answered(status: Int) {
        let microseconds = (ContinuousClock.now - start) / .microseconds(1)
        journal.append([
            "time": .string(SystemCalls.wallClock().iso8601), "plane": .string(plane),
            "method": .string(head.method.rawValue), "host": .string(head.authority ?? ""),
            "path": .string(head.path ?? ""), "status": .number(status),
            "milliseconds": .number(String(microseconds.rounded() / 1_000)),
        ])
    }
}

extension ControlRequest {
    /// What the World looks at of a request.
    fileprivate init(_ request: Request, body: [UInt8]) {
        let target = request.head.path ?? "/"
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        func header(_ name: String) -> String? { HTTPField.Name(name).flatMap { request.headers[$0] } }
        self.init(
            method: request.method.rawValue, path: String(parts[0]), query: parts.count == 2 ? String(parts[1]) : "",
            baseURL: "http://\(request.head.authority ?? "127.0.0.1")", authorization: request.headers[.authorization],
            clientRequestID: header("x-ms-client-request-id"),
            wantsClientRequestID: header("x-ms-return-client-request-id")?.lowercased() == "true",
            correlationRequestID: header("x-ms-correlation-request-id"), body: body)
    }
}
