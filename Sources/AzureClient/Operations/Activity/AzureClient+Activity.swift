import NIOCore
import NIOHTTP1

/// One line of Azure's activity log: who asked for what.
package struct ActivityEvent: Sendable, Hashable {
    /// A user's name, or the id of a service principal; nil where Azure tells none.
    package var caller: String?
    /// RFC 3339, as it was written.
    package var time: String
    /// Such as `Microsoft.Web/sites/write`, in any case.
    package var operation: String
    package var resourceID: String

    package init(caller: String?, time: String, operation: String, resourceID: String) {
        self.caller = caller
        self.time = time
        self.operation = operation
        self.resourceID = resourceID
    }
}

extension AzureClient {
    /// The log lies at the subscription and is asked for one resource group; a filter on a single resource might leave
    /// out what was done to the parts of a site, such as its settings (which of them it shows is not documented). The
    /// filter's form is one of the few that are allowed (azure-rest-api-specs, Microsoft.Insights 2015-04-01,
    /// `ActivityLogs_List`, read 2026-11).
    package func activity(
        from: String, to: String, correlationID: CorrelationID
    ) async throws(AzureError) -> [ActivityEvent] {
        let filter =
            "eventTimestamp ge '\(from)' and eventTimestamp le '\(to)' and resourceGroupName eq '\(scope.group.name)'"
        let get = request(
            .listActivity, .GET,
            scope.inSubscription("providers", "Microsoft.Insights", "eventtypes", "management", "values"),
            query: [("$filter", filter), ("$select", "caller,eventTimestamp,operationName,resourceId")],
            apiVersion: "2015-04-01", correlationID: correlationID)
        return try decoded(Page<ActivityDocument>.self, from: try await call(get), to: get).value.compactMap(\.event)
    }
}

private struct ActivityDocument: Decodable {
    struct Name: Decodable {
        let value: String?
    }

    let caller: String?
    let eventTimestamp: String?
    let operationName: Name?
    let resourceId: String?

    var event: ActivityEvent? {
        guard let eventTimestamp, let resourceId else { return nil }
        return ActivityEvent(
            caller: caller, time: eventTimestamp, operation: operationName?.value ?? "", resourceID: resourceId)
    }
}
