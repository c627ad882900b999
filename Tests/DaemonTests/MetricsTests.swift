import Controller
import DesiredState
import Foundation
import NIOConcurrencyHelpers
import Testing

@testable import Controller
@testable import Daemon

struct MetricsTests {
    private let start = Instant(nanoseconds: 1_700_000_000_000_000_000)

    private func moment(_ seconds: Double) -> Moment {
        Moment(wall: start + .seconds(seconds), steady: start + .seconds(seconds - 1000))
    }

    private func uid(_ seed: UInt64) -> UID {
        var generator = SplitMix64(state: seed)
        return UID(using: &generator)
    }

    private func reconcile(
        _ uid: UID, rule: RuleName = .absent, old: FunctionAppStatus = FunctionAppStatus(),
        new: FunctionAppStatus = FunctionAppStatus(), actions: [Action] = [], isPaused: Bool = false
    ) throws -> Reconcile {
        let name = try #require(RecordName("secret-name"))
        let image = try ImageReference(parsing: "alpine")
        var record = FunctionApp(
            creating: Manifest(name: name, spec: FunctionAppSpec(image: image, args: ["x"])), uid: uid, at: start)
        record.status = old
        return Reconcile(
            uid: uid, facts: LogFacts(generation: 1, rule: rule, reason: "", reconcileID: 1), record: record,
            plan: Plan(rule: rule, reason: "", actions: actions, status: new, nextLook: .onChange), commits: true)
    }

    private func status(_ conditions: (ConditionType, ConditionStatus, Double)...) -> FunctionAppStatus {
        FunctionAppStatus(
            conditions: conditions.map { type, status, seconds in
                Condition(
                    type: type, status: status, reason: "", message: "",
                    lastTransitionTime: start + .seconds(seconds))
            })
    }

    private func text(_ metrics: ControllerMetrics) -> String {
        metrics.page(budgets: [], journalDropped: 3, leaks: SweepCounts(), waiting: [:]).text
    }

    @Test func `reconciles are counted under controller-runtime's names`() throws {
        let now = NIOLockedValueBox(moment(0))
        let metrics = ControllerMetrics(clock: { now.withLockedValue { $0 } })
        let record = uid(1)
        let facts = LogFacts(generation: 1, rule: .absent, reason: "", reconcileID: 1)
        metrics.observed(.queued(record), at: moment(0))
        metrics.observed(.queued(uid(2)), at: moment(0))
        metrics.observed(.started(record, reconcileID: 1), at: moment(0.5))
        now.withLockedValue { $0 = moment(3) }
        var page = text(metrics)
        #expect(page.contains("controller_runtime_active_workers{controller=\"functionapps\"} 1\n"))
        #expect(page.contains("workqueue_depth{controller=\"functionapps\",name=\"functionapps\"} 1\n"))
        #expect(page.contains("workqueue_adds_total{controller=\"functionapps\",name=\"functionapps\"} 2\n"))
        #expect(
            page.contains(
                "workqueue_longest_running_processor_seconds{controller=\"functionapps\",name=\"functionapps\"} 2.5\n"))
        metrics.observed(.decided(try reconcile(record)), at: moment(2))
        metrics.observed(.committed(record, facts), at: moment(2.25))
        metrics.observed(.ended(record, facts, .requeueAfter), at: moment(2.5))
        page = text(metrics)
        let labels = "{controller=\"functionapps\""
        #expect(page.contains("controller_runtime_reconcile_total\(labels),result=\"requeue_after\"} 1\n"))
        #expect(page.contains("controller_runtime_reconcile_total\(labels),result=\"error\"} 0\n"))
        #expect(page.contains("controller_runtime_reconcile_time_seconds_sum\(labels)} 2\n"))
        #expect(page.contains("controller_runtime_reconcile_time_seconds_bucket\(labels),le=\"1\"} 0\n"))
        #expect(page.contains("controller_runtime_reconcile_time_seconds_bucket\(labels),le=\"2.5\"} 1\n"))
        #expect(page.contains("controller_runtime_reconcile_time_seconds_bucket\(labels),le=\"+Inf\"} 1\n"))
        #expect(page.contains("skls_decisions_total{rule=\"absent\"} 1\n"))
        #expect(page.contains("skls_journal_dropped_total 3\n"))
    }

    @Test func `what the sweep and the scheduler count is on the page, also where it is nothing`() {
        let metrics = ControllerMetrics(clock: { [start] in Moment(wall: start, steady: start) })
        let counts = SweepCounts(sweeps: 9, suspected: 4, found: 7, held: 3, quarantined: 5, deleted: 2)
        let page = metrics.page(budgets: [], journalDropped: 0, leaks: counts, waiting: [.drift: 12]).text
        for line in [
            "skls_leaks_suspected_total 7", "skls_leaks_quarantined_total 5", "skls_leaks_deleted_total 2",
            "skls_calls_waiting{lane=\"drift\"} 12", "skls_calls_waiting{lane=\"user\"} 0",
        ] { #expect(page.contains("\n\(line)\n"), "\(line)") }
        #expect(text(metrics).contains("\nskls_leaks_suspected_total 0\n"))
    }

    @Test func `a failed call makes the reconcile that takes it in an error, a refused one a terminal error`() throws {
        let metrics = ControllerMetrics(clock: { [start] in Moment(wall: start, steady: start) })
        let record = uid(1)
        let facts = LogFacts(generation: 1, rule: .absent, reason: "", reconcileID: 1)
        let numbers = callIDs()
        func round(_ kind: CallFailure.Kind?) throws {
            let call = CallFacts(
                uid: record, id: try #require(numbers.next()), kind: .putSite, reconcile: facts, correlationID: nil)
            metrics.observed(.callBegun(call), at: moment(1))
            let result: CallResult = kind.map { .failed(.init(kind: $0, message: "no")) } ?? .siteWritten
            metrics.observed(.callFinished(call, result), at: moment(2))
            metrics.observed(.queued(record), at: moment(2))
            metrics.observed(.started(record, reconcileID: 1), at: moment(2))
            metrics.observed(.ended(record, facts, .success), at: moment(2))
        }
        try round(.transient)
        try round(.terminal(reason: "QuotaExceeded"))
        try round(nil)
        let page = text(metrics)
        #expect(page.contains("controller_runtime_reconcile_errors_total{controller=\"functionapps\"} 2\n"))
        #expect(page.contains("controller_runtime_terminal_reconcile_errors_total{controller=\"functionapps\"} 1\n"))
        #expect(page.contains("controller_runtime_reconcile_total{controller=\"functionapps\",result=\"success\"} 1\n"))
        #expect(page.contains("skls_call_duration_seconds_sum{kind=\"putSite\"} 3\n"))
        #expect(page.contains("skls_calls_in_flight{kind=\"putSite\"} 0\n"))
    }

    @Test func `the record that waits longest is known, and paused and done ones do not count`() throws {
        let now = NIOLockedValueBox(moment(100))
        let metrics = ControllerMetrics(clock: { now.withLockedValue { $0 } })
        func oldest() -> String? {
            text(metrics).split(separator: "\n").first { $0.hasPrefix("skls_oldest_unreconciled_seconds ") }.map(
                String.init)
        }
        #expect(oldest() == "skls_oldest_unreconciled_seconds 0")
        let failing = status((.provisioned, .false, 40))
        metrics.observed(.decided(try reconcile(uid(1), new: failing)), at: moment(100))
        metrics.observed(.decided(try reconcile(uid(2), new: status((.provisioned, .false, 70)))), at: moment(100))
        metrics.observed(
            .decided(
                try reconcile(
                    uid(3), rule: try #require(RuleName(rawValue: "paused") ?? RuleName(rawValue: "suspended")),
                    new: status((.provisioned, .false, 1)))), at: moment(100))
        #expect(oldest() == "skls_oldest_unreconciled_seconds 60")
        metrics.observed(.decided(try reconcile(uid(1), new: status((.provisioned, .true, 100)))), at: moment(100))
        #expect(oldest() == "skls_oldest_unreconciled_seconds 30")
        metrics.observed(.decided(try reconcile(uid(2), actions: [.forget])), at: moment(100))
        #expect(oldest() == "skls_oldest_unreconciled_seconds 0")
    }

    @Test func `time to ready counts from when the container was not ready, once the status is durable`() throws {
        let metrics = ControllerMetrics(clock: { [start] in Moment(wall: start, steady: start) })
        let facts = LogFacts(generation: 1, rule: .starting, reason: "", reconcileID: 1)
        let change = try reconcile(
            uid(1), rule: .starting, old: status((.ready, .false, 10)), new: status((.ready, .true, 25)))
        metrics.observed(.decided(change), at: moment(25))
        metrics.observed(.ended(uid(1), facts, .requeue), at: moment(25))
        #expect(!text(metrics).contains("skls_time_to_ready_seconds_count"), "the commit failed")
        metrics.observed(.decided(change), at: moment(25))
        metrics.observed(.committed(uid(1), facts), at: moment(25))
        #expect(text(metrics).contains("skls_time_to_ready_seconds_sum 15\n"))
    }

    @Test func `the page keeps the rules of the text format`() throws {
        let metrics = ControllerMetrics(clock: { [start] in Moment(wall: start, steady: start) })
        metrics.event("Bad\"\\\nreason")
        metrics.request(method: "GET", code: "<error>")
        metrics.request(method: "PUT", code: "201")
        let page = text(metrics)
        try check(page)
        #expect(page.contains(#"skls_events_total{reason="Bad\"\\\nreason"} 1"#))
        #expect(page.contains("rest_client_requests_total{code=\"201\",method=\"PUT\"} 1\n"))
        for name in ["process_resident_memory_bytes", "process_open_fds", "process_start_time_seconds"] {
            #expect(page.contains("\n\(name) "), "\(name)")
        }
    }

    @Test func `no label names a record`() throws {
        let metrics = ControllerMetrics(clock: { [start] in Moment(wall: start, steady: start) })
        for seed in 1...50 {
            let record = uid(UInt64(seed))
            metrics.observed(.queued(record), at: moment(0))
            metrics.observed(.decided(try reconcile(record)), at: moment(0))
        }
        let page = text(metrics)
        #expect(!page.contains("secret-name") && !page.contains(String(uid(1).short)))
        let allowed: Set = [
            "controller", "name", "result", "code", "method", "class", "kind", "lane", "rule", "reason", "le",
        ]
        let names = Set(page.matches(of: /[{,]([a-z]+)="/).map { String($0.1) })
        #expect(names.isSubset(of: allowed), "\(names.subtracting(allowed))")
    }

    @Test func `the process's own figures are read as proc(5) writes them`() {
        let fields = (3...52).map { number in
            switch number {
            case 14: "250"
            case 15: "50"
            case 22: "1000"
            case 24: "3"
            default: "0"
            }
        }
        let figures = ProcessFigures(
            stat: "7 (a ) b) " + fields.joined(separator: " "), system: "cpu 1\nbtime 1700000000\n", pageBytes: 4096,
            ticksPerSecond: 100)
        #expect(figures.cpuSeconds == 3 && figures.residentBytes == 12_288 && figures.startedAt == 1_700_000_010)
        #expect(ProcessFigures(stat: "", system: "", pageBytes: 1, ticksPerSecond: 1).cpuSeconds == nil)
    }

    @Test func `docs/observability.md lists every metric and every log key`() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let page = try String(contentsOf: root.appendingPathComponent("docs/observability.md"), encoding: .utf8)
        for metric in Metric.allCases { #expect(page.contains("`\(metric.rawValue)"), "\(metric.rawValue)") }
        for key in LogKey.allCases { #expect(page.contains("`\(key.rawValue)`"), "\(key.rawValue)") }
    }

    /// What promtool checks: HELP and TYPE before the first sample of each family, families in one piece, names and
    /// labels in the grammar, numbers, no series twice, histograms cumulative and complete.
    private func check(_ page: String) throws {
        #expect(page.hasSuffix("\n"))
        var family = ""
        var type = ""
        var seen: Set<String> = []
        var families: Set<String> = []
        var buckets: [String: [Double]] = [:]
        for line in page.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
            if let match = line.wholeMatch(of: /# HELP ([a-z_]+) (.+)/) {
                #expect(families.insert(String(match.1)).inserted, "\(match.1) comes twice")
                family = String(match.1)
                type = ""
                continue
            }
            if let match = line.wholeMatch(of: /# TYPE ([a-z_]+) (counter|gauge|histogram)/) {
                #expect(match.1 == family, "TYPE follows its HELP: \(line)")
                type = String(match.2)
                continue
            }
            let match = try #require(
                line.wholeMatch(
                    of: /([a-z_]+)(\{([a-z_]+="([^"\\\n]|\\["\\n])*"(,[a-z_]+="([^"\\\n]|\\["\\n])*")*)\})? (\S+)/),
                "not a sample: \(line)")
            let name = String(match.1)
            let value = try #require(Double(match.7), "not a number: \(line)")
            #expect(seen.insert(String(line.prefix(line.count - match.7.count))).inserted, "twice: \(line)")
            if type == "histogram" {
                #expect(["_bucket", "_sum", "_count"].map { family + $0 }.contains(name), "\(line)")
                if name.hasSuffix("_bucket") {
                    let labels = (match.3.map(String.init) ?? "").replacing(/,?le="[^"]*"/, with: "")
                    let below = buckets[family + labels, default: []]
                    #expect(value >= below.last ?? 0, "cumulative: \(line)")
                    buckets[family + labels] = below + [value]
                }
            } else {
                #expect(name == family && !type.isEmpty, "\(line) in \(family)")
                #expect(type != "counter" || name.hasSuffix("_total"), "\(name)")
            }
        }
        #expect(families.count >= 25)
    }
}

/// Identifiers of calls as the machine numbers them.
private func callIDs() -> AnyIterator<CallID> {
    var number: UInt64 = 0
    return AnyIterator {
        number += 1
        return CallID(number: number)
    }
}
