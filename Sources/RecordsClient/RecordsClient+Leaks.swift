package import DesiredState
import NIOCore
import NIOHTTP1

/// Sites without records, and the way out of a frozen store.
extension RecordsClient {
    private static let base = "/apis/skls.dev/v1"
    /// The daemon asks Azure about each site that it adopts.
    private static let recoveryTimeout = TimeAmount.minutes(15)

    package func leaks() async throws(RecordsClientError) -> LeakReport {
        try decode(LeakReport.self, from: try await reply(.GET, RecordsClient.base + "/leaks").body)
    }

    package func adoptLeak(_ site: String) async throws(RecordsClientError) -> FunctionApp {
        let path = try leakPath(site) + "/adoption"
        return try decode(
            FunctionApp.self, from: try await reply(.POST, path, timeout: RecordsClient.recoveryTimeout).body)
    }

    package func deleteLeak(_ site: String) async throws(RecordsClientError) {
        _ = try await reply(.DELETE, try leakPath(site), timeout: RecordsClient.recoveryTimeout)
    }

    /// What ``recover(_:instance:isForced:)`` would do now.
    package func recoveryPlan(
        instance: String?, isForced: Bool
    ) async throws(RecordsClientError) -> RecoveryPlan {
        let path = RecordsClient.base + "/recovery" + query(instance, isForced)
        return try decode(
            RecoveryPlan.self, from: try await reply(.GET, path, timeout: RecordsClient.recoveryTimeout).body)
    }

    /// Does what this very plan says, and returns what was done.
    package func recover(
        _ plan: RecoveryPlan, instance: String?, isForced: Bool
    ) async throws(RecordsClientError) -> RecoveryPlan {
        let path = RecordsClient.base + "/recovery" + query(instance, isForced) + "&digest=" + plan.digest
        return try decode(
            RecoveryPlan.self, from: try await reply(.POST, path, timeout: RecordsClient.recoveryTimeout).body)
    }

    private func query(_ instance: String?, _ isForced: Bool) -> String {
        "?force=\(isForced ? 1 : 0)" + (instance.map { "&instance=" + $0 } ?? "")
    }

    /// Names of sites are names of records, too: the same letters.
    private func leakPath(_ site: String) throws(RecordsClientError) -> String {
        guard RecordName(site) != nil else { throw RecordsClientError(.notFound, "\"\(site)\" is no name of a site") }
        return RecordsClient.base + "/leaks/" + site
    }
}

/// Leaks and recoveries as text for people. Pure.
package enum LeakText {
    package static func rows(of report: LeakReport, now: Instant) -> [[String]] {
        [["NAME", "KIND", "STATE", "SEEN", "DELETED IN"]]
            + report.items.map { leak in
                [
                    leak.name, leak.kind.rawValue, leak.state.rawValue, RecordTable.age(now - leak.firstSeenAt),
                    leak.deletionDueAt.map { RecordTable.age($0 - now) } ?? "-",
                ]
            }
    }

    /// One line for each thing that a recovery does.
    package static func lines(of plan: RecoveryPlan) -> [String] {
        var lines: [String] = []
        if let reason = plan.reason { lines.append("reason: " + reason) }
        lines += plan.writers.map { "writer \($0) is accepted" }
        if plan.revision > .zero, plan.reason != nil { lines.append("the revision is raised above \(plan.revision)") }
        lines += plan.runs.map { run in
            let how = run.isOpen ? "open" : "not begun as far as the store knows"
            return "functionapp/\(run.name) run \(run.run) (\(how)) ends as Unknown and is not repeated"
        }
        lines += plan.suspended.map { "functionapp/\($0.name) is suspended: \($0.reason)" }
        lines += plan.adopted.map { "site \($0.siteName) becomes functionapp/\($0.name), suspended" }
        lines += plan.leftAlone.map { "left alone: " + $0 }
        return lines
    }
}
