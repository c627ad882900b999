import NIOCore
import NIOHTTP1

extension AzureClient {
    /// The App Service plan, or nil if Azure says that this very plan does not exist. One read.
    package func getPlan(_ id: ResourceID, correlationID: CorrelationID) async throws(AzureError) -> AppServicePlan? {
        try await read(
            PlanDocument.self, request(.getPlan, .GET, id, apiVersion: Self.webVersion, correlationID: correlationID))
    }

    /// Every App Service plan of the resource group, or an error: never a part. One read per page.
    package func listPlans(correlationID: CorrelationID) async throws(AzureError) -> [AppServicePlan] {
        try await list(
            PlanDocument.self,
            request(
                .listPlans, .GET, scope.web("serverfarms"), apiVersion: Self.webVersion, correlationID: correlationID))
    }

    /// Every site on the plan, of whatever group. One read per page.
    package func listSites(
        onPlan plan: ResourceID, correlationID: CorrelationID
    ) async throws(AzureError) -> [Site] {
        let sites = ResourceID(unchecked: plan.segments + ["sites"])
        return try await list(
            SiteDocument.self,
            request(.listPlanSites, .GET, sites, apiVersion: Self.webVersion, correlationID: correlationID),
            keeping: \.withoutProperties)
    }
}
