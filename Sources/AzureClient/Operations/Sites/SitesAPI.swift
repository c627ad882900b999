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

    /// The site, or nil if Azure says that this very site does not exist. A missing group or subscription, or a 404
    /// that is not Azure's, is an error. One read.
    func getSite(_ name: SiteName, correlationID: CorrelationID) async throws(AzureError) -> Site?

    /// Every site of the resource group, or an error: never a part. One read per page.
    func listSites(correlationID: CorrelationID) async throws(AzureError) -> [Site]

    /// Deletes a site and leaves its plan and metrics alone. One delete.
    /// - Throws: with `effectIsUnknown` if Azure may have applied the request.
    func deleteSite(_ name: SiteName, correlationID: CorrelationID) async throws(AzureError) -> DeleteOutcome

    /// The container's log as the platform kept it: at most its last 256 KiB, undecodable bytes replaced. Empty if the
    /// platform has none.
    /// - Throws: `notFound` if there is no such site.
    func containerLogs(_ name: SiteName, correlationID: CorrelationID) async throws(AzureError) -> String

    /// The App Service plan, or nil if Azure says that this very plan does not exist. One read.
    func getPlan(_ id: ResourceID, correlationID: CorrelationID) async throws(AzureError) -> Plan?
}

/// How a PUT that Azure took has ended so far.
package enum PutOutcome: Sendable, Hashable {
    /// Azure says that it is done. The body can be stale (an image that was just set is missing in it), so it proves
    /// that the site exists and nothing else: read the site before comparing.
    case finished(Site)
    /// Azure has started an operation. The URL may carry a signature, so it is kept as it is and not shown.
    case accepted(operationURL: String?, retryAfter: Duration?)
}

/// How a deletion has ended.
package enum DeleteOutcome: Sendable, Hashable {
    /// Azure took the deletion. The name can stay reserved for minutes.
    case deleted
    /// There was no such site.
    case absent
}
