import AzureClient
import NIOConcurrencyHelpers

/// Azure's sites as a script; remembers what was asked of it, in order.
final class FakeSites: SitesAPI {
    struct State {
        var calls: [String] = []
        var written: [SiteRequest] = []
        var patched: [SitePatch] = []
        var details: SiteDetails?
        var mounts: [String: SiteMount] = [:]
        var plans: [AppServicePlan] = []
        var put: Result<PutOutcome, AzureError>?
        var step: LongRunningOperation.Step?
        /// Nil = it may not be read.
        var activity: [ActivityEvent]?
    }

    private let state: NIOLockedValueBox<State>

    init(_ change: (inout State) -> Void = { _ in }) {
        var state = State()
        change(&state)
        self.state = NIOLockedValueBox(state)
    }

    var calls: [String] { state.withLockedValue { $0.calls } }
    var written: [SiteRequest] { state.withLockedValue { $0.written } }
    var patched: [SitePatch] { state.withLockedValue { $0.patched } }

    func change(_ body: (inout State) -> Void) {
        state.withLockedValue { body(&$0) }
    }

    private func asked(_ call: String) -> State {
        state.withLockedValue {
            $0.calls.append(call)
            return $0
        }
    }

    func putSite(
        _ name: SiteName, _ request: SiteRequest, correlationID: CorrelationID
    ) async throws(AzureError) -> PutOutcome {
        state.withLockedValue { $0.written.append(request) }
        guard let result = asked("put").put else {
            throw AzureError(code: .other, operation: .putSite, resource: name.rawValue, message: "no script")
        }
        return try result.get()
    }

    func patchSite(
        _ name: SiteName, _ patch: SitePatch, correlationID: CorrelationID
    ) async throws(AzureError) -> PutOutcome {
        state.withLockedValue { $0.patched.append(patch) }
        guard let result = asked("patch").put else {
            throw AzureError(code: .other, operation: .patchSite, resource: name.rawValue, message: "no script")
        }
        return try result.get()
    }

    func poll(
        _ operation: LongRunningOperation, correlationID: CorrelationID
    ) async throws(AzureError) -> LongRunningOperation.Step {
        guard let step = asked("poll").step else {
            throw AzureError(code: .other, operation: .putSite, resource: "", message: "no script")
        }
        return step
    }

    func getSite(_ name: SiteName, correlationID: CorrelationID) async throws(AzureError) -> Site? {
        asked("get").details?.site
    }

    func listSites(correlationID: CorrelationID) async throws(AzureError) -> [Site] { [] }

    func deleteSite(_ name: SiteName, correlationID: CorrelationID) async throws(AzureError) -> DeleteOutcome {
        .absent
    }

    func containerLogs(_ name: SiteName, correlationID: CorrelationID) async throws(AzureError) -> String { "" }

    func listAppSettings(
        _ name: SiteName, correlationID: CorrelationID
    ) async throws(AzureError) -> [String: Secret] {
        asked("settings").details?.appSettings ?? [:]
    }

    func listMounts(
        _ name: SiteName, correlationID: CorrelationID
    ) async throws(AzureError) -> [String: SiteMount] {
        asked("mounts").mounts
    }

    func siteDetails(
        _ name: SiteName, includingMounts: Bool, correlationID: CorrelationID
    ) async throws(AzureError) -> SiteDetails? {
        asked("details").details
    }

    func startSite(_ name: SiteName, correlationID: CorrelationID) async throws(AzureError) {
        change {
            $0.calls.append("start")
            $0.details?.site.state = "Running"
        }
    }

    func activity(
        from: String, to: String, correlationID: CorrelationID
    ) async throws(AzureError) -> [ActivityEvent] {
        guard let events = asked("activity \(from) \(to)").activity else {
            throw AzureError(code: .forbidden, operation: .listActivity, resource: "", message: "no role")
        }
        return events
    }

    func getPlan(_ id: ResourceID, correlationID: CorrelationID) async throws(AzureError) -> AppServicePlan? {
        asked("plan").plans.first { $0.resourceID == id }
    }

    func listPlans(correlationID: CorrelationID) async throws(AzureError) -> [AppServicePlan] { asked("plans").plans }
}
