import Glibc
import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore

/// The HTTP face of the simulated Azure: one address for Resource Manager, login, registry and the front end of all
/// sites, told apart by `Host` and path.
struct SimulatorServer: Sendable {
    let simulation: Simulation
    let proxy: SiteProxy
    let kudu: KuduStream
    let requests: Journal
    let logger: Logger
    /// Whether the connections are encrypted: links in replies say so.
    var isSecure = false

    /// Bodies of the control plane; Resource Manager's own limit is 4 MiB (Azure docs, request limits, read 2025-05).
    private static let bodyLimitBytes = 4 * 1_024 * 1_024

    /// Answers one request of a connection. Throws when the connection is of no more use.
    ///
    /// Here and below `@concurrent`, as the server's own functions are: the writer cannot change its isolation.
    @concurrent func respond(
        to request: Request, writer: consuming ResponseWriter, channel: any Channel
    ) async throws {
        let host = Self.hostName(request.head.authority ?? "")
        let path = (request.head.path ?? "/").prefix { $0 != "?" }
        let plane = Plane(host: host, path: String(path))
        let entry = RequestEntry(request.head, plane: plane.rawValue, journal: requests)
        if World.isKudu(host), World.isLogStream(String(path)) {
            try await kudu.respond(
                to: request, control: ControlRequest(request, isSecure: isSecure, body: []), entry: entry,
                writer: writer, channel: channel)
        } else if plane == .resourceManager, let refusal = RequestForm.refusal(of: request) {
            try await Self.write(refusal, to: request, entry: entry, writer: writer, closes: true)
        } else if plane != .site || World.isKudu(host) {
            try await control(request, entry: entry, writer: writer, channel: channel)
        } else {
            try await proxy.respond(to: request, host: host, entry: entry, writer: writer, channel: channel)
        }
    }

    @concurrent private func control(
        _ request: Request, entry: RequestEntry, writer: consuming ResponseWriter, channel: any Channel
    ) async throws {
        let body: ByteBuffer
        do { body = try await request.body.collect(upTo: Self.bodyLimitBytes) } catch is NIOTooManyBytesError {
            let reply = AzureErrorBody.resourceManager(
                413, "RequestEntityTooLarge", "The request content size exceeds the maximum size of 4 MB.")
            try await Self.write(reply, to: request, entry: entry, writer: writer, closes: true)
            return
        }
        guard let content = Decompression.content(body, encoding: request.headers[.contentEncoding]) else {
            try await Self.write(Reply(status: 415), to: request, entry: entry, writer: writer)
            return
        }
        let control = ControlRequest(request, isSecure: isSecure, body: Array(content.readableBytesView))
        switch await simulation.answer({ .request($0, control) }) {
        case .reply(let reply): try await Self.write(reply, to: request, entry: entry, writer: writer)
        case .reset(let faults):
            entry.answered(status: 0, faults: faults)
            try await Self.reset(channel)
        case .forward, .stream:
            throw SimulatorError(code: .configuration, message: "a request of the control plane was forwarded")
        }
    }

    /// Ends a connection the hard way: with nothing lingering the kernel sends RST and not FIN.
    private static func reset(_ channel: any Channel) async throws {
        if let option = channel as? any SocketOptionProvider {
            try await option.setSoLinger(linger(l_onoff: 1, l_linger: 0)).get()
        }
        try await channel.close()
        throw ConnectionReset()
    }

    /// The connection was reset on purpose.
    private struct ConnectionReset: Error {}

    // MARK: Writing

    /// Writes a whole reply in one piece.
    @concurrent static func write(
        _ reply: Reply, to request: Request, entry: RequestEntry, writer: consuming ResponseWriter, closes: Bool = false
    ) async throws {
        entry.answered(reply)
        var fields = HTTPFields()
        for header in reply.headers {
            if let name = HTTPField.Name(header.name) { fields.append(HTTPField(name: name, value: header.value)) }
        }
        if fields[.date] == nil { fields[.date] = SystemCalls.wallClock().httpDate }
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
    func answered(_ reply: Reply) {
        let retryAfter = reply.headers.first { $0.name.lowercased() == "retry-after" }?.value
        answered(status: reply.status, retryAfter: retryAfter, faults: reply.faults)
    }

    /// - Parameters:
    ///   - status: 0 for a connection that was reset.
    ///   - faults: names of the faults that were injected.
    func answered(status: Int, retryAfter: String? = nil, faults: [String] = []) {
        let microseconds = (ContinuousClock.now - start) / .microseconds(1)
        var line: JSON = [
            "time": .string(SystemCalls.wallClock().iso8601), "plane": .string(plane),
            "method": .string(head.method.rawValue), "host": .string(head.authority ?? ""),
            "path": .string(Self.withoutVersion(head.path ?? "")), "status": .number(status),
            "milliseconds": .number(String(microseconds.rounded() / 1_000)),
        ]
        if let version = Self.version(in: head.path ?? "") { line.add("apiVersion", .string(version)) }
        if let retryAfter { line.add("retryAfter", .string(retryAfter)) }
        if !faults.isEmpty { line.add("faults", .array(faults.map(JSON.string))) }
        journal.append(line)
    }

    /// A target without its `api-version`, so that lines about one resource are alike whoever asks.
    private static func withoutVersion(_ target: String) -> String {
        guard let mark = target.firstIndex(of: "?") else { return target }
        let rest = target[target.index(after: mark)...].split(separator: "&").filter { !isVersion($0) }
        return target[..<mark] + (rest.isEmpty ? "" : "?" + rest.joined(separator: "&"))
    }

    private static func version(in target: String) -> String? {
        target.split(separator: "?", maxSplits: 1).dropFirst().first?.split(separator: "&").first(where: isVersion)
            .map { String($0.dropFirst("api-version=".count)) }
    }

    private static func isVersion(_ pair: Substring) -> Bool { pair.lowercased().hasPrefix("api-version=") }
}

extension ControlRequest {
    /// What the World looks at of a request.
    fileprivate init(_ request: Request, isSecure: Bool, body: [UInt8]) {
        let target = request.head.path ?? "/"
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        func header(_ name: String) -> String? { HTTPField.Name(name).flatMap { request.headers[$0] } }
        self.init(
            method: request.method.rawValue, path: String(parts[0]), query: parts.count == 2 ? String(parts[1]) : "",
            host: SimulatorServer.hostName(request.head.authority ?? ""),
            baseURL: "\(isSecure ? "https" : "http")://\(request.head.authority ?? "127.0.0.1")",
            authorization: request.headers[.authorization],
            clientRequestID: header("x-ms-client-request-id"),
            wantsClientRequestID: header("x-ms-return-client-request-id")?.lowercased() == "true",
            correlationRequestID: header("x-ms-correlation-request-id"),
            headers: request.headers.map { Reply.Header(name: $0.name.rawName, value: $0.value) }, body: body)
    }
}
