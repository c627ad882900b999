import AzureSimulator
import Controller
import DesiredState
import Foundation
import SystemPackage

/// A store that is replaced by an older copy of itself, and the operator who leads out of it.
extension SimulationRun {
    func restorer() async throws {
        try await time.pause(.seconds(dice.int(0...200)))
        let backup = store.backUp()
        // The logs of runs lie in the same directory.
        let (logs, backedUpLogs) = (outputDirectory.string, backupDirectory.string)
        try FileManager.default.copyItem(atPath: logs, toPath: backedUpLogs)
        let writers = try await store.writers()
        trace.note("the store is backed up")
        try await time.pause(.seconds(dice.int(5...300)))
        for life in lives where life.isAlive { crash(life, .await) }
        store.restore(backup)
        try FileManager.default.removeItem(atPath: logs)
        try FileManager.default.moveItem(atPath: backedUpLogs, toPath: logs)
        // As a daemon does before it takes its users' writes.
        _ = try await store.beginEpoch(writer: "restored")
        let isBehind = isAhead(of: writers)
        // What a list shows late or as it was does not tell that a store is behind.
        let isCertain = isBehind && !chaos.plan.rules.contains { [.staleRead, .lateVisibility].contains($0.kind) }
        let isFrozen = !isCertain || dice.chance(0.3)
        if isFrozen {
            // As `skls serve --frozen`, which is the rule after a restore.
            let freeze = Freeze(since: Instant(nanoseconds: time.wall), reason: "started with --frozen")
            try await store.commit(Transaction(origin: .user, [.setFreeze(freeze)]))
        }
        trace.note("the store is restored\(isBehind ? ", behind" : "")\(isFrozen ? ", frozen" : "")")
        var records: [StoredRecord] = []
        for uid in try await store.allUIDs() {
            if let stored = try await store.load(uid) { records.append(stored) }
        }
        judge.leaks.restored(isBehind: isBehind, isFrozen: isFrozen)
        judge.restored(records, tombstones: try await store.tombstones(), freeze: try await store.freeze())
        begin { [self] in
            // Ends with the run.
            do { try await operate() } catch {}
        }
    }

    private func isAhead(of writers: [String: Revision]) -> Bool {
        cloud.azure.sites.contains { site in
            guard !site.isDeleted, !site.isHidden, site.tags[SiteTag.instance] == store.instance.text,
                let parts = site.tags[SiteTag.writer]?.split(separator: ":"), parts.count == 2
            else { return false }
            guard let last = writers[String(parts[0])] else { return true }
            return Int64(parts[1], radix: 10) ?? 0 > last.number
        }
    }

    /// Looks after the store as people do whom its freeze has called, and resumes some of what was suspended.
    private func operate() async throws {
        while true {
            try await time.pause(.seconds(dice.int(10...90)))
            guard try await store.freeze() != nil, let life = lives.last(where: \.isAlive), let desk = life.desk else {
                continue
            }
            let plan: RecoveryPlan
            do throws(RepairError) {
                let shown = try await desk.recoveryPlan(instance: nil, isForced: false)
                trace.note("a user recovers \(shown.suspended.count) \(shown.runs.count) \(shown.adopted.count)")
                plan = try await desk.recover(digest: shown.digest, instance: nil, isForced: false)
            } catch {
                trace.note("it is not recovered: \(error.code)")
                // Another has taken over, and is gone, too: nothing tells this life so while there is nothing to do.
                if judge.isFenced(life) { crash(life, .await) }
                continue
            }
            for uid in plan.suspended.map(\.uid) + plan.adopted.map(\.uid) where dice.chance(0.6) {
                usersAtWork += 1
                begin { [self] in
                    // What a user cannot do is left undone.
                    do { try await takeUp(uid) } catch {}
                    usersAtWork -= 1
                }
            }
        }
    }

    private func takeUp(_ uid: UID) async throws {
        try await time.pause(.seconds(dice.int(0...60)))
        try await change(uid, dice.chance(0.8) ? .resume : .delete)
        try await time.pause(.seconds(dice.int(0...60)))
        try await change(uid, .start)
    }
}
