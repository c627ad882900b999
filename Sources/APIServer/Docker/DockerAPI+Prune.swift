import DesiredState
import HTTPTypes
import HummingbirdCore
import NIOConcurrencyHelpers

extension DockerAPI {
    /// `POST /containers/prune`: removes the containers that do not run, by moby's filters, as `docker rm` would. Records that a manifest declared are left
    /// alone: that they exist is asked for elsewhere.
    func pruneContainers(_ exchange: Exchange) async throws -> Response {
        guard backend.pruneGate.enter() else {
            throw DockerError(.conflict, "a prune operation is already running")
        }
        defer { backend.pruneGate.leave() }
        let arguments = try FilterArguments(exchange.query["filters"], allowed: ["label", "label!", "until"])
        let until = try arguments.until(backend.clock())
        var removed: [UID] = []
        for record in try await backend.store.list(includingDeleted: false).records {
            guard record.isPrunable, arguments.matchesLabels(record.metadata.labels),
                until.map({ record.metadata.creationTimestamp <= $0 }) ?? true
            else { continue }
            if try await prune(record.uid) { removed.append(record.uid) }
        }
        // As after `docker rm`, a client that looks then finds them gone if Azure is quick; the deletion is durable anyway.
        let pruned = removed
        _ = try await exchange.untilHangUp {
            await withTaskGroup(of: Void.self) { group in
                for uid in pruned {
                    // What goes wrong in the wait changes nothing.
                    group.addTask {
                        _ = try? await backend.wait(for: uid, atMost: backend.configuration.limits.removeWait) {
                            $0 == nil ? true : nil
                        }
                    }
                }
            }
            return true
        }
        try await backend.tell(
            EngineEvent(at: backend.clock(), .container, "prune", actor: "", attributes: ["reclaimed": "0"]))
        return .json(["ContainersDeleted": .strings(removed.map(\.text)), "SpaceReclaimed": 0])
    }

    /// False when it began to run meanwhile, or somebody else removed it.
    private func prune(_ uid: UID) async throws -> Bool {
        do {
            return try await backend.update(uid) { record in
                guard record.isPrunable else { return ([], false) }
                return (
                    [
                        .require(uid, record.metadata.resourceVersion), .markDeleted(uid, at: backend.clock()),
                    ], true
                )
            }.result
        } catch let error as StoreError {
            if case .notFound = error.code { return false }
            throw error
        }
    }
}

extension FunctionApp {
    /// Made by one of Docker's clients, and neither running nor asked to.
    fileprivate var isPrunable: Bool {
        !isBeingDeleted && !hasOpenRun && metadata.annotations[DockerConfiguration.annotation] != nil
    }
}

/// One prune at a time, as in moby (v28, `daemon/prune.go`).
final class PruneGate: Sendable {
    private let isTaken = NIOLockedValueBox(false)

    func enter() -> Bool {
        isTaken.withLockedValue { isTaken in
            defer { isTaken = true }
            return !isTaken
        }
    }

    func leave() { isTaken.withLockedValue { $0 = false } }
}
