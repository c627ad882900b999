import AzureSimulator
import Controller
import DesiredState

extension SimulationRun {
    /// What is not yet as it should be, once nothing fails any more.
    func unrest() -> [(Invariant, String)] {
        var faults: [(Invariant, String)] = []
        if usersAtWork > 0 { faults.append((.converged, "users are still at work")) }
        for stored in judge.records.values.sorted(by: { $0.record.uid < $1.record.uid }) {
            let record = stored.record
            let name = "\(record.metadata.name.text) (\(record.uid.short))"
            if record.isBeingDeleted {
                faults.append((.converged, "\(name) is still being deleted: \(why(record))"))
                continue
            }
            if stored.intent?.operation != nil {
                faults.append((.converged, "\(name) still waits for an operation: \(why(record))"))
            }
            if let pause = record.spec.suspend, pause.until.map({ $0.nanoseconds > time.wall }) ?? true { continue }
            if record.status[.stalled]?.reason == "ForeignOwner" { continue }
            if let open = stored.attempts.first(where: \.isOpen) {
                faults.append((.converged, "\(name) has run \(open.run) open: \(why(record))"))
            }
            if (stored.attempts.last?.run ?? 0) < record.spec.invocations {
                faults.append((.converged, "\(name) has not run \(record.spec.invocations) times: \(why(record))"))
            }
            if !record.status.isTrue(.ready), !record.status.isTrue(.stalled) {
                faults.append((.converged, "\(name) is neither ready nor stalled: \(why(record))"))
            }
            if let fault = siteFault(stored) { faults.append((.converged, "\(name) \(fault): \(why(record))")) }
        }
        faults += judge.leaks.unrest()
        if judge.frozenSince != nil { faults.append((.converged, "the store is still frozen")) }
        if openWaiters > expectedWaiters { faults.append((.waitersWoken, "\(openWaiters) waiters still wait")) }
        return faults
    }

    private func why(_ record: FunctionApp) -> String {
        record.status.nextAction.map { "\($0.rule), \($0.reason)" } ?? "nothing was planned"
    }

    private func siteFault(_ stored: StoredRecord) -> String? {
        let record = stored.record
        guard let site = cloud.azure.site(SiteDesigner.siteName(of: record.uid)), !site.isDeleted else {
            return "has no site"
        }
        if site.tags["skls-hash"] != anyDesigner.identity(of: record).designHash {
            return "has a site of another design"
        }
        if site.image != "DOCKER|" + record.spec.image.canonical { return "has a site of another image" }
        for setting in anyDesigner.design(of: record).appSettings where site.settings[setting.name] != setting.value {
            return "has a site with another \(setting.name)"
        }
        return site.state == "Running" ? nil : "has a site that is \(site.state)"
    }

    /// Records that never ran have nothing to wait for.
    private var expectedWaiters: Int {
        judge.records.values.count { stored in
            stored.attempts.isEmpty || stored.attempts.contains(where: \.isOpen)
                || stored.attempts.last?.result?.outcome == .refused
        }
    }
}
