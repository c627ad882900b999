import APIServer
import AzureClient
import Controller
import DesiredState

/// Puts together what the store, the controller and the client know of a record.
struct ControllerExplainer: Explainer {
    let store: any RecordStore
    let controller: ControllerService
    let journal: Journal
    let budgets: @Sendable () -> [RequestBudget]

    func explain(_ uid: UID) async throws(StoreError) -> Explanation? {
        guard let stored = try await store.load(uid) else { return nil }
        let key = controller.explain(stored)
        let budgets = budgets().map { budget in
            Explanation.Budget(
                name: budget.name, remaining: budget.remaining, burst: budget.burst, waiting: budget.waiting,
                underWay: budget.underWay, frozenUntil: budget.frozenFor.map { key.now.wall + $0 })
        }
        return Explanation(stored, key, budgets: budgets)
    }

    func journal(of uid: UID, limit: Int) async throws(StoreError) -> [JournalEntry] {
        try await journal.newest(of: uid, limit: limit)
    }
}
