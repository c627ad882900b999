import DesiredState
import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore

extension InternalAPI {
    /// `POST /containers`: makes the image known, as a pull would, and then the container.
    func create(_ exchange: Exchange) async throws -> Response {
        let body = try await exchange.body(upTo: exchange.limits.createBytes)
        let json = try JSON.parse(body, depth: exchange.limits.jsonDepth)
        guard let image = try json.string("Image"), !image.isEmpty else {
            throw DockerError.invalidParameter("Image", "no image specified")
        }
        let reference: ImageReference
        do throws(InvalidImageReference) {
            reference = try ImageReference(parsing: image)
        } catch {
            throw DockerError.invalidParameter("Image", "\(error)")
        }
        if try await backend.store.image(reference.canonical) == nil {
            try await pull(exchange, image, platform: exchange.query["platform"])
        }
        return try await forward(exchange, "POST", ["containers", "create"], body: body)
    }

    /// `POST /images/pull` with `{Reference, Auth, Platform}`. Nothing is pulled: Azure does that. The reference is looked up and kept.
    func pull(_ exchange: Exchange) async throws -> Response {
        let body = try await exchange.body(upTo: RecordsAPI.maximumOptionBytes)
        let json = try JSON.parse(body, depth: exchange.limits.jsonDepth)
        guard let reference = try json.string("Reference"), !reference.isEmpty else {
            throw DockerError.invalidParameter("Reference", "image reference is required")
        }
        return try await pull(exchange, reference, platform: try json.string("Platform"))
    }

    @discardableResult
    private func pull(_ exchange: Exchange, _ reference: String, platform: String?) async throws -> Response {
        var pairs = [(name: "fromImage", value: reference)]
        if let platform { pairs.append((name: "platform", value: platform)) }
        return try await forward(
            exchange, "POST", ["images", "create"], query: RequestTarget.Query(pairs: pairs), body: ByteBuffer())
    }

    /// `GET /containers/{id}`: Docker's inspect, and where the container's agent is reached. Its secret is not told.
    func inspect(_ exchange: Exchange, _ reference: String) async throws -> Response {
        let inspection = try await docker.inspection(exchange, reference)
        guard capabilities.agentRequired else { return .json(inspection) }
        let host = try await docker.find(reference).status.site?.hostName ?? ""
        let address: JSON = .string(backend.configuration.agentsDialBack ? "reverse" : host)
        return .json(inspection.merging(["agent_address": address, "AgentAddress": address]))
    }

    /// Stop, kill and restart. Without sessions a run only ends by itself: the request succeeds, changes nothing and leaves a warning event on the
    /// record. A container that does not run is left as it is by stop and kill, and started by restart.
    func end(_ exchange: Exchange, _ reference: String, _ verb: String) async throws -> Response {
        if verb == "kill", let text = exchange.query["signal"], !text.isEmpty {
            do throws(DockerError) {
                _ = try Signal.parse(text)
            } catch {
                throw DockerError.invalidParameter("signal", "unknown signal \(text)")
            }
        }
        if verb != "kill" { _ = try StopQuery(exchange.query) }
        guard !capabilities.exec else {
            return try await forward(exchange, "POST", ["containers", reference, verb])
        }
        let record = try await docker.find(reference)
        guard record.hasOpenRun else {
            guard verb == "restart" else { return Response(status: .noContent) }
            return try await forward(exchange, "POST", ["containers", record.uid.text, "start"])
        }
        let why = "\(verb) was asked for and did nothing: without sessions a run ends by itself or by its time limit"
        try await backend.store.append([
            JournalEntry(
                uid: record.uid, at: backend.clock(), kind: .event, name: "EndNotPossible", isWarning: true,
                message: why)
        ])
        exchange.logger.warning("the container was left running", metadata: ["key": "\(record.uid)"])
        return Response(status: .noContent)
    }

    // MARK: logs

    /// `GET /containers/{id}/logs`. Without sessions nothing is followed: what there is is the answer.
    func logs(_ exchange: Exchange, _ reference: String) async throws -> Response {
        try await forward(
            exchange, "GET", ["containers", reference, "logs"],
            query: capabilities.logsFollow ? nil : exchange.query.without("follow"))
    }

    /// `GET /containers/{id}/logs/stream` as a WebSocket: each binary message holds one of Docker's frames. Both streams unless one is named; ends when
    /// the run has, or at once where nothing can be followed.
    func logStream(_ exchange: Exchange, _ reference: String) async throws -> Response {
        var pairs = exchange.query.without("follow").pairs
        if exchange.query["stdout"] == nil, exchange.query["stderr"] == nil {
            pairs += [(name: "stdout", value: "1"), (name: "stderr", value: "1")]
        }
        var query = try LogQuery(RequestTarget.Query(pairs: pairs))
        query.follows = capabilities.logsFollow
        let record = try await docker.find(reference)
        guard record.keepsLog else { throw DockerError.logNotReadable }
        let framing: StreamFraming = record.spec.tty ? .raw : .multiplexed
        let reply = LogReply(
            backend: backend, record: record, keys: record.outputKeys, query: query, framing: framing)
        let preparation: LogReply.Preparation
        do {
            preparation = try await reply.prepare()
        } catch let error as LogArchiveError {
            throw DockerError(error)
        }
        return try await WebSocketConnection.response(exchange) { connection in
            try await reply.write(preparation) { try await connection.send(.binary, $0) }
        }
    }

    // MARK: wait

    /// `GET /containers/{id}/wait` as a WebSocket: one text message with Docker's answer, when the wait is over.
    func waitSocket(_ exchange: Exchange, _ reference: String) async throws -> Response {
        let condition: WaitCondition
        do throws(DockerError) {
            condition = try WaitCondition(exchange.query["condition"])
        } catch {
            throw DockerError.invalidParameter("condition", error.message)
        }
        let record = try await docker.find(reference)
        let run = record.attachableRun
        let seen = record.metadata.resourceVersion
        return try await WebSocketConnection.response(exchange) { connection in
            let end = try await docker.runEnd(of: record.uid, condition, run: run, seen: seen)
            try await connection.send(.text, end.json.buffer)
        }
    }
}

extension RequestTarget.Query {
    func without(_ name: String) -> RequestTarget.Query {
        RequestTarget.Query(pairs: pairs.filter { $0.name != name })
    }
}
