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

    /// - Parameter namesWriter: the activity log is asked, too, if the site differs. What it does not tell is no failure.
    func read(
        _ design: SiteDesign, namesWriter: Bool, correlationID: CorrelationID
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
        var reading = SiteReading(
            site: ObservedSite(found.site), designHash: design.tags[SiteTag.designHash] ?? "",
            differences: design.differences(on: ground, from: found))
        if namesWriter, !reading.differences.isEmpty { reading.writer = await writer(of: found.site, correlationID) }
        return .detailsRead(reading)
    }

    private func writer(of site: Site, _ correlationID: CorrelationID) async -> String? {
        guard let changed = site.changedAt else { return nil }
        let (from, to) = (changed + (.zero - SiteActivity.nearby), changed + SiteActivity.nearby)
        do throws(AzureError) {
            let events = try await sites.activity(
                from: from.rfc3339(), to: to.rfc3339(), correlationID: correlationID)
            return SiteActivity.writer(of: site.resourceID, changedAt: changed, events)
        } catch {
            return nil  // the log may be closed to us, and repairs stop all the same
        }
    }
}

/// Who changed a site, told from the activity log.
enum SiteActivity {
    /// How far the log's times may be from the site's own time of change: requests are logged when they begin and end.
    static let nearby: Duration = .seconds(120)

    /// The caller of the write that is nearest to the site's time of change. `nil` = the log has none.
    static func writer(of site: ResourceID, changedAt: Instant, _ events: [ActivityEvent]) -> String? {
        let prefix = site.description.lowercased()
        let writes = events.compactMap { event -> (caller: String, distance: Duration)? in
            let resource = event.resourceID.lowercased()
            let operation = event.operation.lowercased()
            guard resource == prefix || resource.hasPrefix(prefix + "/"), let caller = event.caller, !caller.isEmpty,
                !operation.hasSuffix("/read"), !operation.hasSuffix("/list/action"),
                let time = Instant(rfc3339: event.time)
            else { return nil }
            let distance = time - changedAt
            return (caller, distance < .zero ? .zero - distance : distance)
        }
        return writes.filter { $0.distance <= nearby }.min { $0.distance < $1.distance }?.caller
    }
}

extension Site {
    /// Somebody switched it off. Words that we do not know mean nothing.
    var isStopped: Bool { state?.lowercased() == "stopped" }

    /// Azure writes it without a zone and means UTC.
    fileprivate var changedAt: Instant? {
        lastModifiedTime.flatMap { Instant(rfc3339: $0.hasSuffix("Z") ? $0 : $0 + "Z") }
    }
}
