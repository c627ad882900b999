import DesiredState
import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1

/// Docker's Engine API over records: a container is a record, and every request reads records or writes a wish into one.
struct DockerAPI: Sendable {
    let backend: Backend

    /// Always answers: whatever goes wrong becomes Docker's error body.
    func respond(to exchange: Exchange, segments: [String]) async -> Response {
        var response: Response
        do {
            response = try await route(exchange, segments)
        } catch let error as DockerError {
            response = DockerAPI.refusal(error)
        } catch let error as StoreError {
            response = DockerAPI.refusal(DockerError(error, reference: segments.dropFirst().first ?? ""))
        } catch let error as JSONError {
            response = DockerAPI.refusal(DockerError(error))
        } catch let error as NIOTooManyBytesError {
            let limit = error.maxBytes.map { " of \($0) bytes" } ?? ""
            response = DockerAPI.refusal(DockerError(.contentTooLarge, "the request body is over the limit\(limit)"))
            response.headers[.connection] = "close"
        } catch let error as HTTPParserError {
            // In the body: it broke off, or is none.
            response = DockerAPI.refusal(DockerError.badParameter("the request cannot be read: \(error)"))
            response.headers[.connection] = "close"
        } catch is CancellationError {
            response = DockerAPI.refusal(DockerError(.serviceUnavailable, "the daemon is stopping"))
        } catch {
            exchange.logger.error("request failed unexpectedly", metadata: ["error": "\(error)"])
            response = DockerAPI.refusal(DockerError(.internalServerError, "internal error: \(error)"))
        }
        for (name, value) in standardHeaders { response.headers[name] = value }
        return exchange.method == .head ? response.createHeadResponse() : response
    }

    /// On everything, as moby v28 (`daemon/server/middleware/version.go`).
    private var standardHeaders: [(HTTPField.Name, String)] {
        [
            (.apiVersion, DockerVersion.newest.description),
            (.dockerExperimental, "false"),
            (.osType, "linux"),
            (.server, "Docker/\(backend.configuration.version) (linux)"),
        ]
    }

    /// Throws what ``respond(to:segments:)`` makes a reply of.
    func route(_ exchange: Exchange, _ segments: [String]) async throws -> Response {
        var version = DockerVersion.newest
        var path = segments[...]
        if let asked = path.first.flatMap({ DockerVersion(segment: $0) }) {
            version = asked
            path = path.dropFirst()
        }
        let route = DockerRoute.resolve(method: exchange.method.rawValue, segments: Array(path))
        if route == .unknown || route == .system(.unknown) { throw DockerError.pageNotFound }
        try version.checkSupported()
        switch route {
        case .system(let route): return try await respond(to: route, exchange, version)
        case .createContainer: return try await create(exchange)
        case .containers: return try await list(exchange)
        case .container(let reference, let operation):
            return try await run(operation, of: reference, exchange, version)
        case .removeContainer(let reference): return try await remove(exchange, reference)
        case .exec where backend.configuration.sessions == .off: throw backend.refusal(of: .exec)
        case .exec(let id, let operation): return try await run(operation, ofExec: id, exchange, version)
        case .notImplemented(let operation, let hint): throw DockerError.notImplemented(operation, hint: hint)
        case .unknown: throw DockerError.pageNotFound
        }
    }

    private func run(
        _ operation: DockerRoute.ContainerOperation, of reference: String, _ exchange: Exchange,
        _ version: DockerVersion
    ) async throws -> Response {
        do {
            return switch operation {
            case .json: try await inspect(exchange, reference)
            case .start: try await start(exchange, reference)
            case .stop: try await stop(exchange, reference)
            case .kill: try await kill(exchange, reference)
            case .restart: try await restart(exchange, reference)
            case .wait: try await wait(exchange, reference, version)
            case .attach: try await attach(exchange, reference, version)
            case .attachSocket: try await attachSocket(exchange, reference, version)
            case .logs: try await logs(exchange, reference, version)
            case .rename: try await rename(exchange, reference)
            case .exec: try await createExec(exchange, reference, version)
            case .resize: try await resize(exchange, reference)
            case .update: try await update(exchange, reference)
            case .top: try await top(exchange, reference)
            case .stats: try await stats(exchange, reference, version)
            case .changes: try await changes(exchange, reference)
            case .export: try await export(exchange, reference)
            case .statArchive: try await statArchive(exchange, reference)
            case .readArchive: try await readArchive(exchange, reference)
            case .writeArchive: try await writeArchive(exchange, reference)
            }
        } catch let error as StoreError {
            throw DockerError(error, reference: reference)
        }
    }

    private func run(
        _ operation: DockerRoute.ExecOperation, ofExec id: String, _ exchange: Exchange, _ version: DockerVersion
    ) async throws -> Response {
        switch operation {
        case .json: try await inspectExec(id)
        case .start: try await startExec(exchange, id, version)
        case .resize: try await resizeExec(exchange, id)
        }
    }

    static func refusal(_ error: DockerError) -> Response {
        // 304 has no body, and clients take it for a success.
        if error.status == .notModified { return Response(status: .notModified) }
        return .json(["message": .string(error.message)], status: error.status)
    }

    /// The record that a client means. Throws 404, or 400 when the id's prefix is not unique.
    func find(_ reference: String) async throws -> FunctionApp {
        switch try await backend.store.find(reference: reference) {
        case .found(let record):
            RequestLog.note(record.uid)
            return record
        case .none: throw DockerError.noSuchContainer(reference)
        case .ambiguous: throw DockerError.badParameter("multiple IDs found with provided prefix: \(reference)")
        }
    }

    /// The request's body, which has to be an object, of at most `limit` bytes (default: a create's). Refuses bodies of another type, as moby does.
    func objectBody(_ exchange: Exchange, upTo limit: Int? = nil) async throws -> JSON {
        let type = exchange.request.headers[.contentType] ?? ""
        let essence = (type.split(separator: ";").first.map(String.init) ?? "").trimmed.lowercased()
        guard essence == "application/json" else {
            throw DockerError.badParameter("unsupported Content-Type header (\(type)): must be 'application/json'")
        }
        let body = try JSON.parse(
            try await exchange.body(upTo: limit ?? exchange.limits.createBytes), depth: exchange.limits.jsonDepth)
        guard case .object = body else {
            throw DockerError.badParameter("invalid JSON: the body must be an object, not \(body.kind)")
        }
        return body
    }
}

extension DockerError {
    static func notImplemented(_ operation: String, hint: String) -> DockerError {
        .notImplemented("skls does not implement \(operation)" + (hint.isEmpty ? "" : ": \(hint)"))
    }
}

extension HTTPField.Name {
    static let apiVersion = HTTPField.Name("Api-Version", default: .server)
    static let dockerExperimental = HTTPField.Name("Docker-Experimental", default: .server)
    static let osType = HTTPField.Name("Ostype", default: .server)
    static let builderVersion = HTTPField.Name("Builder-Version", default: .server)
    static let swarm = HTTPField.Name("Swarm", default: .server)
    static let pragma = HTTPField.Name("Pragma", default: .server)

    /// The initialiser fails for texts that are no field names; ours are.
    init(_ text: StaticString, default fallback: HTTPField.Name) {
        self = HTTPField.Name("\(text)") ?? fallback
    }
}
