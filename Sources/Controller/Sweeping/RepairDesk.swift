package import AgentLink
import AzureClient
import Crypto
package import DesiredState
import Foundation

/// What users do about leaks and about a store that is behind: all that `skls leaks` and `skls recover` need.
package struct RepairDesk: Sendable {
    private let sweeper: SweepService
    private let output: OutputStore
    private let onThaw: @Sendable () -> Void

    /// `onThaw` is called when a recovery has ended the freeze.
    package init(sweeper: SweepService, output: OutputStore, onThaw: @escaping @Sendable () -> Void) {
        self.sweeper = sweeper
        self.output = output
        self.onThaw = onThaw
    }

    /// As the newest sweep saw them; in order of names.
    package func leaks() async throws(RepairError) -> LeakReport {
        do throws(StoreError) {
            let sightings = try await sweeper.store.sightings()
            return LeakReport(
                items: sightings.map { sweeper.leak($0) }, mode: sweeper.mode.rawValue,
                freeze: try await sweeper.store.freeze())
        } catch {
            throw RepairError(error)
        }
    }

    /// Makes a suspended record for a site that no record knows.
    package func adopt(_ siteName: String) async throws(RepairError) -> FunctionApp {
        try await claiming(siteName) { () async throws(RepairError) in
            let details: SiteDetails?
            do throws(AzureError) {
                details = try await sweeper.azure.readDetails(siteName)
            } catch {
                throw RepairError(error)
            }
            guard let details else { throw RepairError(.notFound, "there is no site \(siteName)") }
            let site = ObservedSite(details.site)
            let uid = try await leakedUID(site)
            let (taken, tombstone) = try await stored { store throws(StoreError) in
                let records = try await store.list(includingDeleted: false).records
                return (Set(records.map(\.metadata.name)), try await store.tombstone(uid))
            }
            guard tombstone == nil else {
                throw RepairError(.refused, "the record of \(siteName) was deleted; the site goes with the next sweep")
            }
            guard let name = site.recordName(besides: taken),
                let record = Adoption(designer: sweeper.designer).record(
                    of: details, uid: uid, name: name, by: "leaks adopt", at: sweeper.clock())
            else { throw RepairError(.refused, "the image of \(siteName) cannot be understood") }
            let operations = RecoveryPlan.adopt(record, sweeper.designer, sweeper.clock())
            return try await stored { store throws(StoreError) in
                try await store.commit(Transaction(origin: .user, epoch: sweeper.epoch, operations))
                return record
            }
        }
    }

    /// Deletes a site that no record knows, and its share.
    package func delete(_ siteName: String) async throws(RepairError) {
        try await claiming(siteName) { () async throws(RepairError) in
            let site: ObservedSite?
            do throws(AzureError) {
                site = try await sweeper.azure.readSite(siteName)
            } catch {
                throw RepairError(error)
            }
            guard let site else { throw RepairError(.notFound, "there is no site \(siteName)") }
            let uid = try await leakedUID(site)
            let notes = await sweeper.delete(site, uid)
            guard notes.contains(where: { $0.kind == .deleted }) else {
                let why = notes.map(\.message).joined(separator: "; ")
                throw RepairError(.unavailable, "\(siteName) was not deleted: \(why)")
            }
        }
    }

    /// What ``recover(digest:instance:isForced:)`` would do now. Reads only.
    ///
    /// - Parameters:
    ///   - instance: of a store that was lost, whose sites are taken over; `nil` = our own.
    ///   - isForced: the store is an older one even if no site shows it.
    package func recoveryPlan(instance: String?, isForced: Bool) async throws(RepairError) -> RecoveryPlan {
        try await look(instance: instance, isForced: isForced).plan
    }

    /// Does what the plan with this digest says; throws `moved` if it would be another by now.
    package func recover(digest: String, instance: String?, isForced: Bool) async throws(RepairError) -> RecoveryPlan {
        let looked = try await look(instance: instance, isForced: isForced)
        var plan = looked.plan
        guard plan.digest == digest else {
            throw RepairError(.moved, "the plan has changed meanwhile: look at it again")
        }
        let adopted = try await records(for: &plan)
        for run in plan.runs where run.isOpen {
            do throws(AgentError) {
                try output.writer(for: OutputKey(uid: run.uid.text, run: run.run, attempt: run.attempt)).seal()
            } catch {
                throw RepairError(.unavailable, "the output of \(run.name) cannot be closed: \(error)")
            }
        }
        do throws(StoreError) {
            try await sweeper.store.commit(
                plan.transaction(
                    looked.records, adopted: adopted, designer: sweeper.designer, epoch: sweeper.epoch,
                    now: sweeper.clock()))
        } catch {
            if case .conflict = error.code {
                throw RepairError(.moved, "a record was changed meanwhile: look at the plan again")
            }
            throw RepairError(error)
        }
        if plan.reason != nil { onThaw() }
        return plan
    }

    // MARK: parts

    private func look(
        instance: String?, isForced: Bool
    ) async throws(RepairError) -> (plan: RecoveryPlan, records: [StoredRecord]) {
        let sites: [ObservedSite]
        do throws(AzureError) {
            sites = try await sweeper.azure.listSites()
        } catch {
            throw RepairError(error)
        }
        do throws(StoreError) {
            let store = sweeper.store
            var records: [StoredRecord] = []
            for uid in try await store.allUIDs() {
                if let stored = try await store.load(uid) { records.append(stored) }
            }
            let writers = try await store.writers()
            let own = sweeper.designer.instance
            let age = StoreAge(sites: sites, instance: own, writers: writers)
            var plan = recovery(
                RecoveryInput(
                    instance: own, adoptedInstance: instance.map { InstanceID($0) }, sites: sites, records: records,
                    tombstones: try await store.tombstones(), age: age, freeze: try await store.freeze(),
                    isForced: isForced))
            plan.digest = RepairDesk.digest(of: plan)
            return (plan, records)
        } catch {
            throw RepairError(error)
        }
    }

    /// Takes sites out of the plan that cannot be read as ours; they stay as they are.
    private func records(for plan: inout RecoveryPlan) async throws(RepairError) -> [FunctionApp] {
        var records: [FunctionApp] = []
        for site in plan.adopted {
            let details: SiteDetails?
            do throws(AzureError) {
                details = try await sweeper.azure.readDetails(site.siteName)
            } catch {
                throw RepairError(error)
            }
            let record = details.flatMap {
                Adoption(designer: sweeper.designer).record(
                    of: $0, uid: site.uid, name: site.name, by: "recover", at: sweeper.clock())
            }
            if let record {
                records.append(record)
            } else {
                plan.adopted.removeAll { $0.uid == site.uid }
                plan.leftAlone.append("\(site.siteName): it is gone, or its image cannot be understood")
            }
        }
        return records
    }

    /// The uid of a site of ours that no record has.
    private func leakedUID(_ site: ObservedSite) async throws(RepairError) -> UID {
        guard site.isOwned(by: sweeper.designer.instance), let uid = site.attributableUID else {
            throw RepairError(.refused, "\(site.name) does not carry the tags of this installation under its own name")
        }
        let (freeze, record) = try await stored { store throws(StoreError) in
            (try await store.freeze(), try await store.load(uid)?.record)
        }
        if let freeze { throw RepairError(.refused, "frozen: \(freeze.reason); `skls recover` leads out") }
        if let record {
            throw RepairError(.refused, "\(site.name) is no leak: it belongs to the record \(record.metadata.name)")
        }
        return uid
    }

    private func stored<Answer>(
        _ body: (any RecordStore) async throws(StoreError) -> Answer
    ) async throws(RepairError) -> Answer {
        do throws(StoreError) {
            return try await body(sweeper.store)
        } catch {
            throw RepairError(error)
        }
    }

    private func claiming<Answer>(
        _ siteName: String, _ body: () async throws(RepairError) -> Answer
    ) async throws(RepairError) -> Answer {
        // Azure allows nothing else in names, and a path could lead elsewhere.
        guard siteName.wholeMatch(of: /[A-Za-z0-9-]{2,60}/) != nil else {
            throw RepairError(.notFound, "there is no site \(siteName)")
        }
        guard sweeper.claim(siteName) else {
            throw RepairError(.moved, "\(siteName) is being worked on; try again")
        }
        defer { sweeper.release(siteName) }
        return try await body()
    }

    private static func digest(of plan: RecoveryPlan) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        // A plan holds nothing that JSON cannot; an empty digest would match no request.
        let data = (try? encoder.encode(plan)) ?? Data()
        return SHA256.hash(data: data).prefix(16).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}

package struct RepairError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Code: Hashable, Sendable {
        case notFound
        /// Something changed in between: look again.
        case moved
        /// What was asked for is not done, now or later.
        case refused
        /// Azure or the store cannot be used now.
        case unavailable
    }

    package let code: Code
    package let description: String

    init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }

    init(_ error: StoreError) {
        self.init(.unavailable, error.description)
    }

    init(_ error: AzureError) {
        self.init(.unavailable, error.description)
    }
}

extension SweepService {
    func leak(_ sighting: Sighting) -> LeakReport.Leak {
        let state: LeakReport.Leak.State =
            sighting.quarantinedAt != nil
            ? .quarantined : sighting.uid == nil || mode == .report ? .reported : .suspected
        return LeakReport.Leak(
            name: sighting.share ?? sighting.siteName, kind: sighting.share == nil ? .site : .share, state: state,
            uid: sighting.uid, firstSeenAt: sighting.firstSeenAt, lastSeenAt: sighting.lastSeenAt,
            quarantinedAt: sighting.quarantinedAt,
            deletionDueAt: sighting.share == nil && mode == .delete
                ? sighting.quarantinedAt.map { $0 + gracePeriod } : nil)
    }
}
