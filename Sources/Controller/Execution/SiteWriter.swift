import AzureClient
import FoundationEssentials

/// Writes sites: looks at the plan and at what is there first, so that what others set is carried over, and follows what
/// Azure works on afterwards.
///
/// Reads come before the one write, so whatever they fail with has changed nothing. What others change between the
/// reads and the write is lost, as with any tool, since Azure has no condition on a site's version; what they change
/// afterwards moves the site's time of change and shows in its details.
struct SiteWriter: Sendable {
    private let sites: any SitesAPI
    private let plans: PlanDirectory
    private let mountKeys: MountKeys?

    /// `mountKeys`: nil where no volumes are configured.
    init(sites: any SitesAPI, plans: PlanDirectory, mountKeys: MountKeys? = nil) {
        self.sites = sites
        self.plans = plans
        self.mountKeys = mountKeys
    }

    /// - Parameter isUpdate: the site was seen; it is read again, with its settings.
    func write(
        _ design: SiteDesign, isUpdate: Bool, correlationID: CorrelationID
    ) async throws(AzureError) -> CallResult {
        let name = try SiteName(checking: design.name)
        var existing = isUpdate ? try await existing(name, correlationID) : nil
        if let existing, !design.mayReplace(existing.site) {
            return .failed(
                .init(kind: .transient, message: "the site \(design.name) has lost our tags; it is looked at again"))
        }
        let ground: Ground
        do throws(PlanDirectory.Failure) {
            ground = try await plans.ground(
                of: design.placement, location: design.location, current: existing?.site.serverFarmID,
                isNew: existing == nil, correlationID: correlationID)
        } catch {
            switch error {
            case .azure(let error): throw error
            case .refused(let why):
                return .failed(.init(kind: .terminal(reason: why.reason), message: why.description))
            }
        }
        let request: SiteRequest
        var mounts: [String: SiteMount]?
        if design.concernsMounts(existing) {
            if let fault = await mountKeys?.fault(design.mounts) {
                return .failed(.init(kind: .terminal(reason: fault.reason), message: fault.description))
            }
            if existing != nil {
                existing?.mounts = try await sites.listMounts(name, correlationID: correlationID)
            }
            // Without keys where there are none to be had: what comes of it is told by the request.
            mounts =
                design.mounts.isEmpty
                ? [:]
                : try await mountKeys?.keyed(
                    design.mounts, isRepair: existing != nil, correlationID: correlationID) ?? design.mounts
        }
        do throws(DesignFault) {
            request = try design.request(on: ground, replacing: existing, mounts: mounts)
        } catch {
            return .failed(.init(kind: .terminal(reason: error.reason), message: error.description))
        }
        // First, as Azure may be busy with the write for a while; a site that was switched off is idle, so that the
        // container is made but once. Harmless if the write then fails.
        if let existing, existing.site.isStopped { try await sites.startSite(name, correlationID: correlationID) }
        let outcome: PutOutcome
        do throws(AzureError) {
            outcome = try await sites.putSite(name, request, correlationID: correlationID)
        } catch {
            switch error.code {
            case .scopeNotFound, .invalid, .conflict, .quotaExceeded, .other: plans.forget(ground)
            default: break
            }
            throw error
        }
        if existing == nil { plans.noteCreation(on: ground) }
        switch outcome {
        case .finished: return .siteWritten
        case .accepted(let operation, let wait):
            return .siteAccepted(operation: StoredOperation.text(operation), pollAfter: wait)
        }
    }

    /// Takes our tags off a site, and leaves all else as it is. A site that is not ours is left alone.
    func release(
        _ name: SiteName, instance: String, correlationID: CorrelationID
    ) async throws(AzureError) -> CallResult {
        guard let site = try await sites.getSite(name, correlationID: correlationID) else { return .siteWasAbsent }
        guard site.tag(SiteTag.instance) == instance else { return .siteReleased }
        let patch = SitePatch(tags: site.tags.filter { !$0.key.lowercased().hasPrefix(SiteTag.prefix) })
        // Finished or accepted: the site is read next.
        _ = try await sites.patchSite(name, patch, correlationID: correlationID)
        return .siteReleased
    }

    /// Asks once about what Azure works on.
    func follow(_ text: String, correlationID: CorrelationID) async throws(AzureError) -> CallResult {
        guard let operation = StoredOperation.operation(text) else { return .operationEnded }
        let step = try await sites.poll(operation, correlationID: correlationID)
        switch step.next {
        // The site is read next in any case: its result would be the same read once more.
        case .pollAfter where step.operation.hasSucceeded: return .operationEnded
        case .pollAfter(let wait):
            return .operationRunning(operation: StoredOperation.text(step.operation), pollAfter: wait)
        case .done: return .operationEnded
        case .failed(let error):
            return CallResult.Failure(error).map { .operationFailed($0) } ?? .operationEnded
        }
    }

    /// Nil if it is gone: then it is made anew.
    private func existing(_ name: SiteName, _ correlationID: CorrelationID) async throws(AzureError) -> SiteDetails? {
        do throws(AzureError) {
            guard let site = try await sites.getSite(name, correlationID: correlationID) else { return nil }
            return SiteDetails(
                site: site, appSettings: try await sites.listAppSettings(name, correlationID: correlationID))
        } catch {
            if error.code == .notFound { return nil }
            throw error
        }
    }
}

extension Site {
    fileprivate func tag(_ name: String) -> String? {
        tags.first { $0.key.lowercased() == name }?.value
    }
}

extension SiteDesign {
    /// It carries our tags, or may be taken over and carries at least our uid.
    fileprivate func mayReplace(_ site: Site) -> Bool {
        site.tag(SiteTag.instance) == tags[SiteTag.instance]
            || takesOver && site.tag(SiteTag.instance) != nil && site.tag(SiteTag.uid) == tags[SiteTag.uid]
    }
}

/// Operations as the text that the store keeps. It may hold a signature, and is never shown.
enum StoredOperation {
    static func text(_ operation: LongRunningOperation) -> String {
        do {
            return String(decoding: try JSONEncoder().encode(operation), as: UTF8.self)
        } catch {
            return ""
        }
    }

    /// Fit to be shown to people.
    static func shown(_ text: String) -> String {
        operation(text)?.shownLink ?? "an operation that this release cannot read"
    }

    /// Nil for what another release wrote: then the site is read in its place.
    static func operation(_ text: String) -> LongRunningOperation? {
        do {
            return try JSONDecoder().decode(LongRunningOperation.self, from: Data(text.utf8))
        } catch {
            return nil
        }
    }
}
