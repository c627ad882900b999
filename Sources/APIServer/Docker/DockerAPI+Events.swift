import DesiredState
import HTTPTypes
import HummingbirdCore
import NIOConcurrencyHelpers
import NIOCore

extension Backend {
    /// Tells Docker's clients of something that no record shows. Durable once it returned.
    func tell(_ event: EngineEvent) async throws(StoreError) {
        try await store.commit(Transaction(origin: .user, [.addEvent(event)]))
    }

    /// Tells what happened to a container, in Docker's words.
    func tell(_ action: String, of record: FunctionApp, _ more: [String: String] = [:]) async throws(StoreError) {
        try await tell(EngineEvent(at: clock(), action, of: record, more))
    }
}

extension DockerAPI {
    /// `GET /events`: a JSON line per event, those that are kept first when `since` or `until` asks for them, then the new ones until `until` or until
    /// the client hangs up. The head goes out at once. A client that goes on from the time that it saw last misses none, also across restarts.
    func events(_ exchange: Exchange, _ version: DockerVersion) async throws -> Response {
        let query = try EventQuery(exchange.query, version)
        // Asked before the answer: what happens after it is the client's.
        let start = query.isBounded ? 0 : try await backend.store.newestEventNumber()
        return Response(
            status: .ok, headers: [.contentType: "application/json"],
            body: .init { writer in
                let stream = EventStream(store: backend.store, query: query, start: start, exchange: exchange)
                let rest = query.until.map { $0 - backend.clock() }
                try await exchange.untilHangUp { try await stream.run(for: rest) }
                try await writer.finish(nil)
            })
    }
}

/// One client's way through the events. What it reads slowly waits in the store, not in memory.
private struct EventStream: Sendable {
    let store: any RecordStore
    let query: EventQuery
    let exchange: Exchange
    /// The last event that was seen, sent or not.
    private let reached: NIOLockedValueBox<Int64>

    /// Bound of events in memory per client.
    private static let batch = 128

    init(store: any RecordStore, query: EventQuery, start: Int64, exchange: Exchange) {
        self.store = store
        self.query = query
        self.exchange = exchange
        reached = NIOLockedValueBox(start)
    }

    /// Until `time` is over, `nil` = for ever; zero or less sends only what has happened. Ends as well when events were dropped before this client came to
    /// them: it has to begin anew, and must not believe that it saw all.
    func run(for time: Duration?) async throws {
        guard let time else { return try await follow() }
        if time > .zero {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    do {
                        try await follow()
                    } catch let error as StoreError where error.code == .cancelled {
                        // The time is over.
                    }
                }
                // The client's own `until`: the answer ends then, whatever happens.
                group.addTask { try await Task.sleep(for: time) }
                try await group.next()
                group.cancelAll()
            }
        }
        // All that happened before the end.
        _ = try await send()
    }

    private func follow() async throws {
        var wakeUps = store.changes.subscribeToEvents().makeAsyncIterator()
        repeat {
            guard try await send() else { return }
        } while await wakeUps.next() != nil
    }

    /// Sends what there is. False when events are missing, or all that were asked for are sent.
    private func send() async throws -> Bool {
        while true {
            let last = reached.withLockedValue { $0 }
            let events = try await store.events(after: last, since: query.since, limit: EventStream.batch)
            guard let newest = events.last, let oldest = events.first else { return true }
            if last > 0, oldest.number != last + 1 { return false }
            let isOver = query.until.map { newest.at > $0 } ?? false
            var lines = ByteBuffer()
            for event in events where query.includes(event) {
                query.json(event).write(to: &lines)
                lines.writeStaticString("\n")
            }
            if lines.readableBytes > 0 { try await exchange.write(lines) }
            reached.withLockedValue { $0 = newest.number }
            if isOver { return false }
        }
    }
}

/// Which events a client wants, and how it is told (moby v28, `daemon/events/filter.go`). Pure.
struct EventQuery: Sendable {
    let since: Instant?
    let until: Instant?
    private let filters: FilterArguments
    private let hidesImageCreation: Bool

    /// Throws 400.
    init(_ query: RequestTarget.Query, _ version: DockerVersion) throws(DockerError) {
        since = try LogQuery.nanoseconds(query["since"], name: "since").map {
            Instant(nanoseconds: Int64(clamping: $0))
        }
        until = try LogQuery.nanoseconds(query["until"], name: "until").map {
            Instant(nanoseconds: Int64(clamping: $0))
        }
        if let since, let until, since > until {
            throw .badParameter("`since` time (\(since)) cannot be after `until` time (\(until))")
        }
        // Keys that mean nothing are let through, as by moby.
        filters = try FilterArguments(query["filters"])
        hidesImageCreation = version < DockerVersion(major: 1, minor: 46)
    }

    /// Kept events are asked for.
    var isBounded: Bool { since != nil || until != nil }

    func includes(_ event: EngineEvent) -> Bool {
        if hidesImageCreation, event.subject == .image, event.action == "create" { return false }
        if let until, event.at > until { return false }
        let name = event.attributes["name"] ?? ""
        return matchesAction(event.action) && filters.exactly("type", event.subject.rawValue)
            && filters.exactly("scope", "local")
            && ["daemon", "container", "plugin", "volume", "network", "node", "service", "secret", "config"]
                .allSatisfy { filters.beginning($0, event.actor) || filters.beginning($0, name) }
            && matchesImage(event) && filters.matchesAll("label", of: event.attributes)
    }

    /// `exec_create` means every `exec_create: COMMAND`.
    private func matchesAction(_ action: String) -> Bool {
        let isLoose = filters["event"].contains { ["health_status", "exec_create", "exec_start"].contains($0) }
        return isLoose ? filters.beginning("event", action) : filters.exactly("event", action)
    }

    /// By id or name, with or without the tag, of the image or of the container's image.
    private func matchesImage(_ event: EngineEvent) -> Bool {
        guard filters.contains("image") else { return true }
        let name = event.attributes[event.subject == .image ? "name" : "image"] ?? ""
        return [event.actor, name].contains { text in
            filters.exactly("image", text)
                || ImageReference(codedText: text).map { filters.exactly("image", $0.familiarRepository) } ?? false
        }
    }

    /// `status`, `id` and `from` are what clients before API 1.22 read, and some still do.
    func json(_ event: EngineEvent) -> JSON {
        var members: [JSON.Member] = []
        if event.subject == .container || event.subject == .image {
            members.append(.init(name: "status", value: .string(event.action)))
            members.append(.init(name: "id", value: .string(event.actor)))
            if event.subject == .container, let image = event.attributes["image"] {
                members.append(.init(name: "from", value: .string(image)))
            }
        }
        let common: JSON = [
            "Type": .string(event.subject.rawValue), "Action": .string(event.action),
            "Actor": ["ID": .string(event.actor), "Attributes": .stringMap(event.attributes)], "scope": "local",
            "time": .number(event.at.unixSeconds), "timeNano": .number(event.at.nanoseconds),
        ]
        return JSON.object(members).merging(common)
    }
}
