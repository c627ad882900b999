import APIServer
import Controller
import DesiredState

/// The controller's repair desk as the API server wants it.
struct LeakAdapter: LeakControl {
    let desk: RepairDesk

    func leaks() async throws(LeakControlError) -> LeakReport {
        try await translating { () async throws(RepairError) in try await desk.leaks() }
    }

    func adopt(site: String) async throws(LeakControlError) -> FunctionApp {
        try await translating { () async throws(RepairError) in try await desk.adopt(site) }
    }

    func delete(site: String) async throws(LeakControlError) {
        try await translating { () async throws(RepairError) in try await desk.delete(site) }
    }

    func recoveryPlan(_ request: RecoveryRequest) async throws(LeakControlError) -> RecoveryPlan {
        try await translating { () async throws(RepairError) in
            try await desk.recoveryPlan(instance: request.instance, isForced: request.isForced)
        }
    }

    func recover(_ request: RecoveryRequest, digest: String) async throws(LeakControlError) -> RecoveryPlan {
        try await translating { () async throws(RepairError) in
            try await desk.recover(digest: digest, instance: request.instance, isForced: request.isForced)
        }
    }

    private func translating<Answer>(
        _ body: () async throws(RepairError) -> Answer
    ) async throws(LeakControlError) -> Answer {
        do throws(RepairError) {
            return try await body()
        } catch {
            let code: LeakControlError.Code =
                switch error.code {
                case .notFound: .notFound
                case .moved: .moved
                case .refused: .refused
                case .unavailable: .unavailable
                }
            throw LeakControlError(code, error.description)
        }
    }
}
