import APIServer
import DesiredState
import NIOConcurrencyHelpers

/// Leaks as a script; remembers what was asked.
final class FakeLeaks: LeakControl {
    struct State {
        var report = LeakReport(items: [], mode: "delete", freeze: nil)
        var plan = RecoveryPlan()
        var adopted: FunctionApp?
        var refusal: LeakControlError?
        var calls: [String] = []
    }

    private let state = NIOLockedValueBox(State())

    func change(_ body: (inout State) -> Void) { state.withLockedValue { body(&$0) } }
    var calls: [String] { state.withLockedValue { $0.calls } }

    private func asked(_ call: String) throws(LeakControlError) -> State {
        let state = state.withLockedValue {
            $0.calls.append(call)
            return $0
        }
        if let refusal = state.refusal { throw refusal }
        return state
    }

    func leaks() async throws(LeakControlError) -> LeakReport { try asked("list").report }

    func adopt(site: String) async throws(LeakControlError) -> FunctionApp {
        guard let record = try asked("adopt \(site)").adopted else {
            throw LeakControlError(.notFound, "there is no site \(site)")
        }
        return record
    }

    func delete(site: String) async throws(LeakControlError) { _ = try asked("delete \(site)") }

    func recoveryPlan(_ request: RecoveryRequest) async throws(LeakControlError) -> RecoveryPlan {
        try asked("plan \(request.instance ?? "own") \(request.isForced)").plan
    }

    func recover(_ request: RecoveryRequest, digest: String) async throws(LeakControlError) -> RecoveryPlan {
        let plan = try asked("recover \(request.instance ?? "own") \(request.isForced)").plan
        guard plan.digest == digest else { throw LeakControlError(.moved, "the plan has changed") }
        return plan
    }
}
