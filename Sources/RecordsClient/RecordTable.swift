package import DesiredState

/// Records as a table for people. Pure.
package enum RecordTable {
    package static func rows(of records: [FunctionApp], now: Instant, isWide: Bool = false) -> [[String]] {
        [header(isWide: isWide)] + records.map { row(of: $0, now: now, isWide: isWide) }
    }

    static func header(isWide: Bool) -> [String] {
        ["NAME", "IMAGE", "READY", "RUN", "SITE", "AGE"] + (isWide ? ["UID", "GENERATION", "HOST", "NEXT"] : [])
    }

    static func row(of record: FunctionApp, now: Instant, isWide: Bool) -> [String] {
        let usual = [
            record.metadata.name.text, record.spec.image.text, readiness(record), lastRun(record),
            record.status.site?.name ?? "-", age(now - record.metadata.creationTimestamp),
        ]
        guard isWide else { return usual }
        let host = record.status.site?.hostName ?? ""
        let next = record.status.nextAction.map { $0.reason.isEmpty ? $0.rule : "\($0.rule): \($0.reason)" }
        return usual + [
            String(record.uid.short), "\(record.status.observedGeneration)/\(record.metadata.generation)",
            host.isEmpty ? "-" : host, next ?? "-",
        ]
    }

    static let readyColumn = 2

    private static func readiness(_ record: FunctionApp) -> String {
        if record.isBeingDeleted { return "Deleting" }
        if record.spec.suspend != nil { return "Paused" }
        if record.status.isTrue(.stalled) { return "Stalled" }
        return record.status[.ready]?.status.rawValue ?? "Unknown"
    }

    /// `1 Succeeded (0)`: number, outcome and exit code of the last run.
    private static func lastRun(_ record: FunctionApp) -> String {
        let last = record.lastRunNumber
        guard record.spec.invocations <= last else { return "\(last + 1) Pending" }
        guard last > 0 else { return "-" }
        guard let attempt = record.lastAttempt(ofRun: last) else { return "\(last) Pending" }
        guard let outcome = attempt.outcome else {
            return "\(last) " + (attempt.startedAt == nil ? "Starting" : "Running")
        }
        return "\(last) \(outcome.rawValue)" + (attempt.exitCode.map { " (\($0))" } ?? "")
    }

    /// One or two units, as kubectl shows ages.
    package static func age(_ duration: Duration) -> String {
        let seconds = max(0, duration.components.seconds)
        switch seconds {
        case ..<120: return "\(seconds)s"
        case ..<7200: return "\(seconds / 60)m"
        case ..<172_800: return "\(seconds / 3600)h"
        default: return "\(seconds / 86_400)d"
        }
    }
}
