package import AzureClient
package import DesiredState
import NIOConcurrencyHelpers

/// What is known of the plans, so that no site is put on one that never starts it. A plan is read before the first site
/// goes there and again after a while.
package final class PlanDirectory: Sendable {
    private struct Known {
        var plan: AppServicePlan
        var readAt: Instant
        /// Sites that were made on it since it was read, which its own count does not have yet.
        var added: Int64 = 0
    }

    /// How long a plan is believed: it may be scaled or filled by others meanwhile. Only plans that fit are believed, so
    /// that one that was put right counts at once.
    static let lifetime: Duration = .seconds(300)

    private let sites: any SitesAPI
    private let clock: @Sendable () -> Instant
    private let known = NIOLockedValueBox<[ResourceID: Known]>([:])
    /// Plans that are being read (nil: the list of them), with those who wait for that: hundreds of first writes to a plan cost
    /// one read.
    private let readers = NIOLockedValueBox<[ResourceID?: [CheckedContinuation<Void, Never>]]>([:])
    private let onlyPlan = NIOLockedValueBox<ResourceID?>(nil)

    package init(sites: any SitesAPI, clock: @escaping @Sendable () -> Instant) {
        self.sites = sites
        self.clock = clock
    }

    /// Why a site cannot be put anywhere: a refusal, or a call that failed.
    enum Failure: Error {
        case refused(PlanRefusal)
        case azure(AzureError)
    }

    /// The ground of a placement.
    /// - Parameters:
    ///   - current: the plan that the site is on already; it keeps it where nothing else is configured.
    ///   - isNew: the site is not there yet, and takes one of the plan's places.
    func ground(
        of placement: Placement, location: String, current: ResourceID?, isNew: Bool, correlationID: CorrelationID
    ) async throws(Failure) -> Ground {
        switch placement {
        case .managedEnvironment(let text):
            guard let id = ResourceID(text) else {
                throw .refused(
                    PlanRefusal(
                        reason: "InvalidEnvironment",
                        description: "spec.hosting.managedEnvironment is neither an environment's name nor its "
                            + "resource id: \(text)"))
            }
            return .containerApps(id)
        case .plan(let text):
            guard let id = ResourceID(text) else {
                throw .refused(
                    PlanRefusal(
                        reason: "InvalidPlan",
                        description: "spec.hosting.plan is neither a plan's name nor its resource id: \(text)"))
            }
            return try await ground(id, location, isNew: isNew, correlationID)
        case .onlyPlan:
            if let current { return try await ground(current, location, isNew: isNew, correlationID) }
            let id = try await onlyPlan(in: location, correlationID)
            do throws(Failure) {
                return try await ground(id, location, isNew: isNew, correlationID)
            } catch {
                // It is gone or does not fit any more: another may be the only one by now.
                if case .refused = error { onlyPlan.withLockedValue { $0 = nil } }
                throw error
            }
        }
    }

    /// A site was made there.
    func noteCreation(on ground: Ground) {
        switch ground {
        case .elasticPremium(let id), .dedicated(let id):
            known.withLockedValue { $0[id]?.added += 1 }
        case .containerApps: break
        }
    }

    /// Azure refused a write: perhaps the plan is not as it was.
    func forget(_ ground: Ground) {
        switch ground {
        case .elasticPremium(let id), .dedicated(let id):
            known.withLockedValue { $0[id] = nil }
            onlyPlan.withLockedValue { $0 = nil }
        case .containerApps: break
        }
    }

    private func ground(
        _ id: ResourceID, _ location: String, isNew: Bool, _ correlationID: CorrelationID
    ) async throws(Failure) -> Ground {
        while true {
            let now = clock()
            if let entry = known.withLockedValue({ $0[id] }), now - entry.readAt < Self.lifetime {
                return try ground(id, entry, location, isNew: isNew)
            }
            guard await beginReading(id) else { continue }
            defer { endReading(id) }
            let entry = Known(plan: try await read(id, correlationID), readAt: now)
            let ground = try ground(id, entry, location, isNew: isNew)
            known.withLockedValue { $0[id] = entry }
            return ground
        }
    }

    /// True for who is to read the plan (nil: the list) now; ``endReading(_:)`` must follow. Who comes meanwhile waits for the end of that
    /// reading, which is bounded, and then looks again.
    private func beginReading(_ id: ResourceID?) async -> Bool {
        let isFirst = readers.withLockedValue { readers in
            guard readers[id] == nil else { return false }
            readers[id] = []
            return true
        }
        if isFirst { return true }
        await withCheckedContinuation { continuation in
            let isOver = readers.withLockedValue { readers in
                guard readers[id] != nil else { return true }
                readers[id]?.append(continuation)
                return false
            }
            if isOver { continuation.resume() }
        }
        return false
    }

    private func endReading(_ id: ResourceID?) {
        for waiter in readers.withLockedValue({ $0.removeValue(forKey: id) }) ?? [] { waiter.resume() }
    }

    private func ground(
        _ id: ResourceID, _ entry: Known, _ location: String, isNew: Bool
    ) throws(Failure) -> Ground {
        do throws(PlanRefusal) {
            let family = try entry.plan.containerFamily(
                location: location, addedSites: isNew ? entry.added + 1 : 0)
            return family == .elasticPremium ? .elasticPremium(id) : .dedicated(id)
        } catch {
            known.withLockedValue { $0[id] = nil }
            throw .refused(error)
        }
    }

    private func read(_ id: ResourceID, _ correlationID: CorrelationID) async throws(Failure) -> AppServicePlan {
        let plan: AppServicePlan?
        do throws(AzureError) {
            plan = try await sites.getPlan(id, correlationID: correlationID)
        } catch {
            throw .azure(error)
        }
        guard let plan else {
            throw .refused(
                PlanRefusal(
                    reason: "PlanNotFound", description: "there is no plan \(id.name): \(AppServicePlan.choices)"))
        }
        return plan
    }

    private func onlyPlan(in location: String, _ correlationID: CorrelationID) async throws(Failure) -> ResourceID {
        while true {
            if let id = onlyPlan.withLockedValue(\.self) { return id }
            guard await beginReading(nil) else { continue }
            defer { endReading(nil) }
            return try await readOnlyPlan(in: location, correlationID)
        }
    }

    private func readOnlyPlan(
        in location: String, _ correlationID: CorrelationID
    ) async throws(Failure) -> ResourceID {
        let plans: [AppServicePlan]
        do throws(AzureError) {
            plans = try await sites.listPlans(correlationID: correlationID)
        } catch {
            throw .azure(error)
        }
        let id = try Self.only(plans, in: location)
        onlyPlan.withLockedValue { $0 = id }
        return id
    }

    /// The only plan of these that runs containers. Pure.
    static func only(_ plans: [AppServicePlan], in location: String) throws(Failure) -> ResourceID {
        var fitting: [AppServicePlan] = []
        var refusals: [String] = []
        for plan in plans.sorted(by: { $0.name < $1.name }) {
            do throws(PlanRefusal) {
                _ = try plan.containerFamily(location: location)
                fitting.append(plan)
            } catch {
                refusals.append(plan.name + " (" + error.reason + ")")
            }
        }
        if let plan = fitting.first, fitting.count == 1 { return plan.resourceID }
        guard fitting.isEmpty else {
            throw .refused(
                PlanRefusal(
                    reason: "SeveralPlans",
                    description: "no plan is configured, and several run containers: name one of "
                        + fitting.map(\.name).joined(separator: ", ") + " in spec.hosting.plan or SKLS_PLAN"))
        }
        let others = refusals.isEmpty ? "has no plan" : "has only " + refusals.joined(separator: ", ")
        throw .refused(
            PlanRefusal(
                reason: "NoPlan",
                description: "no plan is configured, and the resource group \(others): \(AppServicePlan.choices)"))
    }
}
