import NIOCore
import NIOHTTP1

extension AzureClient {
    /// The App Service plan, or nil if Azure says that this very plan does not exist. One read.
    package func getPlan(_ id: ResourceID, correlationID: CorrelationID) async throws(AzureError) -> AppServicePlan? {
        let get = request(.getPlan, .GET, id, apiVersion: Self.webVersion, correlationID: correlationID)
        guard let reply = try await found(get) else { return nil }
        guard let plan = try decoded(PlanDocument.self, from: reply, to: get).plan else {
            throw AzureError(unusable: reply, to: get, message: "the plan has no resource id")
        }
        return plan
    }

    /// Every App Service plan of the resource group, or an error: never a part. One read per page.
    package func listPlans(correlationID: CorrelationID) async throws(AzureError) -> [AppServicePlan] {
        try await listed(.listPlans, scope.web("serverfarms"), correlationID) { (document: PlanDocument) in
            document.plan
        }
    }

    /// Every site on the plan, of whatever group. One read per page.
    package func listSites(
        onPlan plan: ResourceID, correlationID: CorrelationID
    ) async throws(AzureError) -> [Site] {
        let sites = ResourceID(unchecked: plan.segments + ["sites"])
        return try await listed(.listPlanSites, sites, correlationID) { (document: SiteDocument) in document.site }
    }
}
