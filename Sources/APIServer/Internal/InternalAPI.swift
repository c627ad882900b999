import DesiredState
import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1

/// Sockerless' internal backend API, `/internal/v1`: the third dialect. What Docker's dialect does as well it does there; this one has its own paths,
/// its own words for refusals, and the contract of a backend without sessions.
struct InternalAPI: Sendable {
    let docker: DockerAPI
    let figures: RequestFigures
    let capabilities: BackendCapabilities

    var backend: Backend { docker.backend }

    init(docker: DockerAPI, figures: RequestFigures) {
        self.docker = docker
        self.figures = figures
        capabilities = BackendCapabilities(
            withSessions: docker.backend.hasSessions,
            runTimeoutSeconds: docker.backend.configuration.runTimeoutSeconds)
    }

    static func serves(_ segments: [String]) -> Bool { InternalRoute.serves(segments) }

    /// Always answers: whatever goes wrong becomes an error body.
    func respond(to exchange: Exchange) async -> Response {
        let began = backend.clock()
        guard let match = InternalRoute.resolve(method: exchange.method.rawValue, segments: exchange.target.segments)
        else { return InternalRefusal.response(.pageNotFound) }
        let response = await respond(to: exchange, match)
        let elapsed = (backend.clock() - began).components
        figures.add(
            "\(match.route.method) \(match.route.path)",
            milliseconds: Double(elapsed.seconds) * 1e3 + Double(elapsed.attoseconds) / 1e15)
        return exchange.method == .head ? response.createHeadResponse() : response
    }

    private func respond(to exchange: Exchange, _ match: InternalRoute.Match) async -> Response {
        let refusal: DockerError
        do {
            if let feature = match.route.requires, !capabilities.has(feature) { throw DockerError.lacking(feature) }
            return try await perform(match, exchange)
        } catch let error as DockerError {
            refusal = error
        } catch let error as StoreError {
            refusal = DockerError(error, reference: match.reference)
        } catch let error as JSONError {
            refusal = DockerError(error)
        } catch let error as LeakControlError {
            refusal = DockerError(error.code == .unavailable ? .serviceUnavailable : .conflict, error.description)
        } catch let error as NIOTooManyBytesError {
            let limit = error.maxBytes.map { " of \($0) bytes" } ?? ""
            var response = InternalRefusal.response(
                DockerError(.contentTooLarge, "the request body is over the limit\(limit)"))
            response.headers[.connection] = "close"
            return response
        } catch let error as HTTPParserError {
            var response = InternalRefusal.response(DockerError.badParameter("the request cannot be read: \(error)"))
            response.headers[.connection] = "close"
            return response
        } catch is CancellationError {
            refusal = DockerError(.serviceUnavailable, "the daemon is stopping")
        } catch {
            exchange.logger.error("request failed unexpectedly", metadata: ["error": "\(error)"])
            refusal = DockerError(.internalServerError, "internal error: \(error)")
        }
        let subject = match.route.method == "GET" ? "query" : "request"
        return InternalRefusal.response(
            InternalRefusal.translate(refusal, operation: match.route.name, subject: subject))
    }

    private func perform(_ match: InternalRoute.Match, _ exchange: Exchange) async throws -> Response {
        let reference = match.reference
        switch match.route.operation {
        case .capabilities: return .json(capabilities.json(version: backend.configuration.version))
        case .health: return health()
        case .status: return try await status()
        case .summary: return try await summary()
        case .metrics: return try await metrics()
        case .check: return await check()
        case .provider: return .json(backend.configuration.provider.json)
        case .resources: return try await resources(exchange)
        case .orphans: return try await orphans(exchange)
        case .cleanup: return try await cleanup(exchange)
        case .create: return try await create(exchange)
        case .inspect: return try await inspect(exchange, reference)
        case .stop: return try await end(exchange, reference, "stop")
        case .kill: return try await end(exchange, reference, "kill")
        case .restart: return try await end(exchange, reference, "restart")
        case .logs: return try await logs(exchange, reference)
        case .logStream: return try await logStream(exchange, reference)
        case .waitSocket: return try await waitSocket(exchange, reference)
        case .pull: return try await pull(exchange)
        case .inspectImage: return try await image(exchange, "GET", "json")
        case .tagImage: return try await image(exchange, "POST", "tag")
        case .docker(let method, let path):
            return try await forward(exchange, method, InternalRoute.expand(path, match.values))
        case .missing: throw DockerError.notImplemented(match.route.name)
        }
    }

    /// Has Docker's dialect do it, in its newest version, with this query and body where they are given.
    func forward(
        _ exchange: Exchange, _ method: String, _ segments: [String], query: RequestTarget.Query? = nil,
        body: ByteBuffer? = nil
    ) async throws -> Response {
        var head = exchange.request.head
        if let method = HTTPRequest.Method(method) { head.method = method }
        // Callers of this API send JSON and do not always say so.
        if method == "POST" { head.headerFields[.contentType] = "application/json" }
        var request = Request(head: head, body: exchange.request.body)
        if let body { request.body = .init(buffer: body) }
        return try await docker.route(
            exchange.asking(request, RequestTarget(segments: segments, query: query ?? exchange.query)), segments)
    }

    /// The name of an image comes in the query, since it holds slashes.
    private func image(_ exchange: Exchange, _ method: String, _ verb: String) async throws -> Response {
        guard let name = exchange.query["name"], !name.isEmpty else {
            throw DockerError.invalidParameter("name", "the image's name is required")
        }
        return try await forward(
            exchange, method, ["images"] + name.split(separator: "/").map(String.init) + [verb])
    }
}

extension Exchange {
    /// The same exchange with another request in it.
    fileprivate func asking(_ request: Request, _ target: RequestTarget) -> Exchange {
        Exchange(request: request, target: target, channel: channel, limits: limits, logger: logger)
    }
}

extension RequestTarget {
    init(segments: [String], query: Query) {
        self.segments = segments
        self.query = query
    }
}
