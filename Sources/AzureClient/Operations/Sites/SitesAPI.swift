/// What a controller needs of Azure App Service. ``AzureClient`` is the production implementation; a simulation puts
/// an in-process one in its place.
///
/// No call is repeated behind the caller's back (only a refused token is renewed once), so that one call is one effect
/// at most. Every call ends within a bound of its own and when the caller's task is cancelled.
package protocol SitesAPI: Sendable {
    /// Creates or updates a site. May take tens of seconds. One write.
    /// - Throws: with `effectIsUnknown` if Azure may have applied the request.
    func putSite(
        _ name: SiteName, _ request: SiteRequest, correlationID: CorrelationID
    ) async throws(AzureError) -> PutOutcome

    /// Changes some fields of a site. One write.
    /// - Throws: with `effectIsUnknown` if Azure may have applied the request.
    func patchSite(
        _ name: SiteName, _ patch: SitePatch, correlationID: CorrelationID
    ) async throws(AzureError) -> PutOutcome

    /// Asks once about what Azure works on. A status that cannot be read is a step like another. One read.
    /// - Throws: `cancelled`.
    func poll(
        _ operation: LongRunningOperation, correlationID: CorrelationID
    ) async throws(AzureError) -> LongRunningOperation.Step

    /// The site, or nil if Azure says that this very site does not exist. A missing group or subscription, or a 404
    /// that is not Azure's, is an error. One read.
    func getSite(_ name: SiteName, correlationID: CorrelationID) async throws(AzureError) -> Site?

    /// Every site of the resource group without its ``Site/properties``, or an error: never a part. One read per page.
    func listSites(correlationID: CorrelationID) async throws(AzureError) -> [Site]

    /// Deletes a site and leaves its plan and metrics alone. One delete.
    /// - Throws: with `effectIsUnknown` if Azure may have applied the request.
    func deleteSite(_ name: SiteName, correlationID: CorrelationID) async throws(AzureError) -> DeleteOutcome

    /// The container's log as the platform kept it: at most its last 256 KiB, undecodable bytes replaced. Empty if the
    /// platform has none.
    /// - Throws: `notFound` if there is no such site.
    func containerLogs(_ name: SiteName, correlationID: CorrelationID) async throws(AzureError) -> String

    /// All app settings by name, values included; what a PUT has to carry over.
    /// - Throws: `notFound` if there is no such site.
    func listAppSettings(_ name: SiteName, correlationID: CorrelationID) async throws(AzureError) -> [String: Secret]

    /// All mounts by id. A POST, which counts as a write.
    /// - Throws: `notFound` if there is no such site.
    func listMounts(_ name: SiteName, correlationID: CorrelationID) async throws(AzureError) -> [String: SiteMount]

    /// All that can be read of a site, nil if it does not exist. Two reads, and a POST, which counts as a write, for the
    /// settings and another one for the mounts.
    func siteDetails(
        _ name: SiteName, includingMounts: Bool, correlationID: CorrelationID
    ) async throws(AzureError) -> SiteDetails?

    /// Sets the switch to `Running`; a site that runs stays as it is. One write.
    func startSite(_ name: SiteName, correlationID: CorrelationID) async throws(AzureError)

    /// What was done in the resource group between two times (RFC 3339), as far as the activity log has it by now: it
    /// lags behind by minutes. The first page only. One read.
    func activity(
        from: String, to: String, correlationID: CorrelationID
    ) async throws(AzureError) -> [ActivityEvent]

    /// The App Service plan, or nil if Azure says that this very plan does not exist. One read.
    func getPlan(_ id: ResourceID, correlationID: CorrelationID) async throws(AzureError) -> AppServicePlan?

    /// Every App Service plan of the resource group, or an error: never a part. One read per page.
    func listPlans(correlationID: CorrelationID) async throws(AzureError) -> [AppServicePlan]
}

/// How a PUT that Azure took has ended so far.
package enum PutOutcome: Sendable, Hashable {
    /// Azure says that it is done. The body can be stale (an image that was just set is missing in it), so it proves
    /// that the site exists and nothing else: read the site before comparing.
    case finished(Site)
    /// Azure works on it: to be stored and asked about with ``SitesAPI/poll(_:correlationID:)``, not before the time.
    case accepted(LongRunningOperation, pollAfter: Duration)
}

/// How a deletion has ended.
package enum DeleteOutcome: Sendable, Hashable {
    /// Azure took the deletion. The name can stay reserved for minutes.
    case deleted
    /// There was no such site.
    case absent
}
