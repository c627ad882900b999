import AzureClient
import DesiredState

/// Reads sites in full and compares them with their design.
struct SiteReader: Sendable {
    private let sites: any SitesAPI
    private let plans: PlanDirectory

    init(sites: any SitesAPI, plans: PlanDirectory) {
        self.sites = sites
        self.plans = plans
    }

    func read(
        _ design: SiteDesign, writerSince: Instant?, correlationID: CorrelationID
    ) async throws(AzureError) -> CallResult {
        let name = try SiteName(checking: design.name)
        // A set of mounts costs a write of the quota, and is looked at only where one of them is ours.
        let found = try await sites.siteDetails(
            name, includingMounts: !design.mounts.isEmpty, correlationID: correlationID)
        guard let found else { return .detailsRead(nil) }
        let ground: Ground
        do throws(PlanDirectory.Failure) {
            ground = try await plans.ground(
                of: design.placement, location: design.location, current: found.site.serverFarmID, isNew: false,
                correlationID: correlationID)
        } catch {
            switch error {
            case .azure(let error): throw error
            case .refused(let why):
                return .failed(.init(kind: .terminal(reason: why.reason), message: why.description))
            }
        }
        return .detailsRead(
            SiteReading(
                site: ObservedSite(found.site), designHash: design.tags[SiteTag.designHash] ?? "",
                differences: design.differences(on: ground, from: found)))
    }
}

extension Site {
    /// Somebody switched it off. Words that we do not know mean nothing.
    var isStopped: Bool { state?.lowercased() == "stopped" }
}
