import DesiredState
import Foundation
import HTTPTypes
import HummingbirdCore
import NIOCore
import NIOFoundationCompat

extension RecordsAPI {
    /// `GET …?watch=1[&resourceVersion=N]`: JSON lines of `{type, object}`, each record once in its newest form, from the revision on. Without a revision
    /// everything that exists comes first, as added. A quiet watch sends a bookmark from time to time: a sign of life with the revision reached.
    ///
    /// With selectors, records that match no longer are told as deleted, once.
    func watch(_ exchange: Exchange) async throws -> Response {
        let start: Revision
        let first: ByteBuffer
        let limit = try RecordsAPI.seconds(exchange.query["timeoutSeconds"])
        var view = WatchView(selector: try selector(exchange))
        if let text = exchange.query["resourceVersion"], !text.isEmpty {
            guard let revision = Revision(codedText: text) else {
                throw RecordsError(.badRequest, "resourceVersion must be a number, not \"\(text)\"")
            }
            // Answers 410 while there is still a status to answer with.
            let changes = try await backend.store.changes(since: revision)
            (start, first) = (changes.revision, try WatchLines.encode(view.show(changes.changes)))
        } else {
            let list = try await backend.store.list(includingDeleted: true)
            (start, first) = (list.revision, try WatchLines.encode(added: view.begin(list.records)))
        }
        let started = view
        return Response(
            status: .ok, headers: [.contentType: "application/json"],
            body: .init { writer in
                try await exchange.write(first)
                do {
                    try await exchange.untilHangUp { try await follow(from: start, started, exchange, for: limit) }
                } catch let error as StoreError {
                    var line = (["type": "ERROR", "object": RecordsError(error).json] as JSON).buffer
                    line.writeStaticString("\n")
                    try await exchange.write(line)
                }
                try await writer.finish(nil)
            })
    }

    /// Goes on until it is cancelled, or throws `compacted` when the client reads so slowly that changes were forgotten meanwhile.
    /// Kubernetes' `timeoutSeconds`; absent and 0 are no limit. Throws 400.
    static func seconds(_ text: String?) throws(RecordsError) -> Duration? {
        guard let text, !text.isEmpty else { return nil }
        guard let seconds = Int32(text), seconds >= 0 else {
            throw RecordsError(.badRequest, "timeoutSeconds must be a whole number of seconds, not \"\(text)\"")
        }
        return seconds == 0 ? nil : .seconds(Int(seconds))
    }

    private func follow(
        from start: Revision, _ started: WatchView, _ exchange: Exchange, for limit: Duration?
    ) async throws {
        let (news, continuation) = AsyncStream.makeStream(of: News.self, bufferingPolicy: .bufferingNewest(1))
        try await withThrowingTaskGroup(of: Void.self) { group in
            defer { group.cancelAll() }
            let commits = backend.store.changes.subscribeToAll()
            group.addTask {
                for await _ in commits { continuation.yield(.committed) }
            }
            group.addTask {
                while true {
                    try await Task.sleep(for: exchange.limits.bookmarkInterval)
                    continuation.yield(.bookmarkIsDue)
                }
            }
            if let limit {
                group.addTask {
                    // The client's own `timeoutSeconds`: the watch ends then, whatever happens. Cancelled when it ends before.
                    try await Task.sleep(for: limit)
                    continuation.finish()
                }
            }
            continuation.yield(.committed)
            var reached = start
            var view = started
            for await item in news {
                // Either may have pushed the other out of the stream, so both do both.
                let changes = try await backend.store.changes(since: reached)
                reached = changes.revision
                let shown = view.show(changes.changes)
                if !shown.isEmpty {
                    try await exchange.write(try WatchLines.encode(shown))
                } else if item == .bookmarkIsDue {
                    try await exchange.write(WatchLines.bookmark(reached))
                }
            }
            // Its time is over, unless it was cancelled.
            try Task.checkCancellation()
        }
    }

    private enum News: Sendable {
        case committed, bookmarkIsDue
    }
}

/// What one watch shows of all changes.
struct WatchView {
    let selector: RecordSelector
    /// What the client does not have, as far as is known: it needs no second deletion.
    private var hidden: Set<UID> = []

    init(selector: RecordSelector) {
        self.selector = selector
    }

    mutating func begin(_ records: [FunctionApp]) -> [FunctionApp] {
        records.filter { record in
            if selector.matches(record) { return true }
            hidden.insert(record.uid)
            return false
        }
    }

    /// Changes of what matches; what matches no longer has gone, as in Kubernetes.
    mutating func show(_ changes: [RecordChange]) -> [RecordChange] {
        guard !selector.selectsAll else { return changes }
        return changes.compactMap { change in
            let uid = change.record.uid
            if change.kind == .deleted { return hidden.remove(uid) == nil ? change : nil }
            if selector.matches(change.record) {
                return hidden.remove(uid) == nil ? change : RecordChange(kind: .added, record: change.record)
            }
            // A new record that does not match was never shown.
            guard hidden.insert(uid).inserted, change.kind != .added else { return nil }
            return RecordChange(kind: .deleted, record: change.record)
        }
    }
}

enum WatchLines {
    static func encode(_ changes: [RecordChange]) throws -> ByteBuffer {
        try encode(changes.map { ($0.kind, $0.record) })
    }

    static func encode(added records: [FunctionApp]) throws -> ByteBuffer {
        try encode(records.map { (.added, $0) })
    }

    private static func encode(_ changes: [(kind: RecordChange.Kind, record: FunctionApp)]) throws -> ByteBuffer {
        var lines = ByteBuffer()
        let encoder = RecordsAPI.encoder
        for change in changes {
            lines.writeString("{\"type\":\"\(change.kind.rawValue)\",\"object\":")
            lines.writeData(try encoder.encode(change.record))
            lines.writeStaticString("}\n")
        }
        return lines
    }

    static func bookmark(_ revision: Revision) -> ByteBuffer {
        let object: JSON = [
            "apiVersion": .string(FunctionApp.apiVersion), "kind": .string(FunctionApp.kind),
            "metadata": ["resourceVersion": .string(revision.codedText)],
        ]
        var line = (["type": "BOOKMARK", "object": object] as JSON).buffer
        line.writeStaticString("\n")
        return line
    }
}
