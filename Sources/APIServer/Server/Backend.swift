import AgentLink
import DesiredState
import Logging
import NIOCore

/// What the dialects work on. They write wishes into records and wait for the controller's answer in the record's status; they never act themselves.
struct Backend: Sendable {
    let configuration: APIServerConfiguration
    let store: any RecordStore
    let output: OutputStore
    /// Where output may be found beyond the kept logs; `nil`: nowhere.
    var archive: (any LogArchive)?
    let input: any RunInput
    let images: any ImageResolver
    let readiness: any ReadinessCheck
    let leaks: any LeakControl
    let sessions: any ContainerSessions
    let explainer: (any Explainer)?
    /// `nil`: there is no controller that could be asked.
    let previewer: (any Previewer)?
    let metrics: (any MetricsSource)?
    /// `nil`: no registry is configured.
    var registryLogin: (any RegistryLogin)?
    let clock: @Sendable () -> Instant
    let inputClaims = InputClaims()
    let execs = ExecSessions()
    let inventoryGate = InventoryGate()
    let pruneGate = PruneGate()
    let logger: Logger

    /// How often a read-change-write is tried again when others write the same record in between. Each lost round means that another writer got
    /// through, so this many in a row is no accident.
    static let conflictRetries = 16

    var hasSessions: Bool { sessions.isOn && configuration.sessions != .off }

    /// Why what needs sessions is refused; under the strict contract in the words that its callers look for.
    func refusal(of feature: BackendCapabilities.Feature) -> DockerError {
        configuration.sessions == .off ? .lacking(feature) : .sessionsOff(feature.rawValue)
    }

    /// Waits until the record is as `answer` wants it: `answer` is given the record after each change (`nil` once it is gone) until it returns
    /// something. Nothing is lost between two looks, since the subscription is older than the first one.
    func wait<Answer>(for uid: UID, until answer: (FunctionApp?) async throws -> Answer?) async throws -> Answer {
        var changes = store.changes.subscribe(to: uid).makeAsyncIterator()
        while true {
            let record: FunctionApp?
            do {
                record = try await store.load(uid)?.record
            } catch {
                if error.code == .cancelled { throw CancellationError() }
                throw error
            }
            if let answer = try await answer(record) { return answer }
            guard await changes.next() != nil else { throw CancellationError() }
        }
    }

    /// `wait` that gives up after a time and returns `nil`.
    func wait<Answer: Sendable>(
        for uid: UID, atMost limit: Duration, until answer: @escaping @Sendable (FunctionApp?) throws -> Answer?
    ) async throws -> Answer? {
        try await withThrowingTaskGroup(of: Answer?.self) { group in
            group.addTask { try await wait(for: uid, until: answer) }
            group.addTask {
                try await Task.sleep(for: limit)
                return nil
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
        }
    }

    /// Reads the record, lets `change` make the operations that follow from it, and commits them; begins anew when somebody else wrote the record in
    /// between. `change` returns `nil` when there is nothing to do, and throws to refuse.
    /// Throws `notFound` when the record is gone.
    @discardableResult
    func update<Result>(
        _ uid: UID, change: (FunctionApp) throws -> (operations: [Transaction.Operation], result: Result)
    ) async throws -> (result: Result, revision: Revision) {
        RequestLog.note(uid)
        for _ in 0..<Backend.conflictRetries {
            guard let record = try await store.load(uid)?.record else { throw StoreError(.notFound(uid)) }
            let (operations, result) = try change(record)
            guard !operations.isEmpty else { return (result, record.metadata.resourceVersion) }
            do throws(StoreError) {
                return (result, try await store.commit(Transaction(origin: .user, operations)))
            } catch {
                guard case .conflict = error.code else { throw error }
            }
        }
        throw StoreError(.unavailable, "the record is changed by others all the time; try again")
    }

    /// The last form of a record that was forgotten after `revision`; `nil` when that is not known any more.
    func lastForm(of uid: UID, since revision: Revision) async throws -> FunctionApp? {
        do throws(StoreError) {
            return try await store.changes(since: revision).changes.last { $0.record.uid == uid }?.record
        } catch {
            if case .compacted = error.code { return nil }
            throw error
        }
    }
}
