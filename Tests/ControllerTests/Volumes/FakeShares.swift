import NIOConcurrencyHelpers

@testable import AzureClient

/// Azure Files in memory. Each call, and each answer, can be made to fail.
final class FakeShares: SharesAPI {
    enum Misfortune: Hashable, Sendable {
        /// Nothing arrives.
        case lost
        /// It is carried out, and the answer is lost.
        case answerLost
        /// Azure refuses, and will go on refusing.
        case forbidden
        /// There is no such account.
        case noAccount
    }

    struct State {
        var shares: [String: [String: String]] = [:]
        var quotas: [String: Int] = [:]
        var calls: [String] = []
        /// By the number of the call, from 1; `nil` as number = every call.
        var misfortune: (call: Int?, Misfortune)?
        var keys = ["key"]
    }

    private let state: NIOLockedValueBox<State>

    init(_ change: (inout State) -> Void = { _ in }) {
        var state = State()
        change(&state)
        self.state = NIOLockedValueBox(state)
    }

    func change(_ body: (inout State) -> Void) { state.withLockedValue { body(&$0) } }
    var shares: [String: [String: String]] { state.withLockedValue { $0.shares } }
    var quotas: [String: Int] { state.withLockedValue { $0.quotas } }
    var calls: [String] { state.withLockedValue { $0.calls } }

    private func perform<Answer>(
        _ call: String, _ operation: AzureOperation, _ body: (inout State) -> Answer
    ) throws(AzureError) -> Answer {
        func error(_ code: AzureError.Code, isUnknown: Bool = false) -> AzureError {
            AzureError(
                code: code, operation: operation, resource: "share", message: "as scripted", effectIsUnknown: isUnknown)
        }
        let result: Result<Answer, AzureError> = state.withLockedValue { state in
            state.calls.append(call)
            let isStruck = state.misfortune.map { $0.call == nil || $0.call == state.calls.count } ?? false
            let isWrite = operation != .getFileShare && operation != .listStorageKeys
            switch isStruck ? state.misfortune?.1 : nil {
            case nil: return .success(body(&state))
            case .lost: return .failure(error(.connection, isUnknown: isWrite))
            case .answerLost:
                _ = body(&state)
                return .failure(error(.timedOut, isUnknown: isWrite))
            case .forbidden: return .failure(error(.forbidden))
            case .noAccount: return .failure(error(.scopeNotFound))
            }
        }
        return try result.get()
    }

    private func share(_ name: FileShareName, _ metadata: [String: String]) throws(AzureError) -> FileShare {
        FileShare(
            resourceID: try AzureScope(subscriptionID: "5ba5e000-7e4a-4000-8000-000000000003", resourceGroup: "g")
                .group,
            name: name.rawValue, metadata: metadata, properties: .object([:]))
    }

    func fileShare(
        _ share: FileShareName, in name: StorageAccountName, correlationID: CorrelationID
    ) async throws(AzureError) -> FileShare? {
        let found = try perform("get", .getFileShare) { $0.shares[share.rawValue] }
        guard let found else { return nil }
        return try self.share(share, found)
    }

    func putFileShare(
        _ share: FileShareName, in name: StorageAccountName, quotaGiB: Int?, metadata: [String: String]?,
        correlationID: CorrelationID
    ) async throws(AzureError) -> FileShare {
        let found = try perform("put", .putFileShare) { state in
            let kept = state.shares[share.rawValue] ?? metadata ?? [:]
            state.shares[share.rawValue] = kept
            state.quotas[share.rawValue] = quotaGiB
            return kept
        }
        return try self.share(share, found)
    }

    func deleteFileShare(
        _ share: FileShareName, in name: StorageAccountName, correlationID: CorrelationID
    ) async throws(AzureError) -> DeleteOutcome {
        try perform("delete", .deleteFileShare) { state in
            state.shares.removeValue(forKey: share.rawValue) == nil ? .absent : .deleted
        }
    }

    func storageAccountKeys(
        _ name: StorageAccountName, correlationID: CorrelationID
    ) async throws(AzureError) -> [StorageAccountKey] {
        try perform("keys", .listStorageKeys) { state in
            state.keys.map { StorageAccountKey(name: "key1", value: Secret($0), permissions: "FULL") }
        }
    }
}
