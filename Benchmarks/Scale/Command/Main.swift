import Controller
import DesiredState
import Foundation
import ScaleBenchmark

/// Prints what the controller costs and how fast it converges at scale; judges nothing. `scale-benchmark [COUNT…]`, by default 100
/// 1000 10000 100000.
@main
struct ScaleCommand {
    static func main() async throws {
        let arguments = CommandLine.arguments.dropFirst().compactMap { Int($0) }
        let counts = arguments.isEmpty ? [100, 1000, 10_000, 100_000] : Array(arguments)
        print("## Decisions of the planner alone")
        try planner()
        for pace in PutPace.allCases {
            print("\n## Converging; \(pace.rawValue)")
            for count in counts { try await converge(count, pace) }
        }
        print("\n## Resync and steady state")
        try await resync(count: counts.contains(10_000) ? 10_000 : counts.max() ?? 1000)
        print("\n## Commits")
        for pace in PutPace.allCases { try await commits(count: 200, pace) }
    }

    /// Time to converge against the bounds, with memory and the pace of decisions.
    static func converge(_ count: Int, _ pace: PutPace) async throws {
        var generator = SplitMix64(state: 1)
        let run = ScaleRun(pace: pace, store: MemoryStore(generator: &generator))
        try await run.begin()
        try await run.run(for: .seconds(1))
        let clock = ContinuousClock()
        let began = run.now
        let realBegan = clock.now
        try await run.create(count: count)
        try await run.run(for: .seconds(200_000)) { $0.readyCount == count }
        let real = (clock.now - realBegan).inSeconds
        let took = (run.lastReadyAt - began).inSeconds
        let latency = pace.latency.inSeconds
        let published = WriteBound.published.seconds(writes: count) + latency
        let configured = WriteBound.configured.seconds(writes: count) + latency
        let full = residentBytes()
        run.machine = nil
        let without = residentBytes()
        print(
            """
            \(count) records\(run.readyCount == count ? "" : ", ONLY \(run.readyCount) READY"): \(took.text) s; \
            bound at the configured share \(configured.text) s (ratio \((took / configured).text)), at the published \
            rate \(published.text) s (ratio \((took / published).text))
              most calls in flight \(run.mostInFlight); writes \(run.azure.writeCount), reads \(run.azure.readCount) \
            (\((Double(run.azure.readCount) / Double(count)).text) per record, polls \(run.azure.pollCount)), refused by \
            the buckets \(run.azure.refusedCount)
              decisions \(run.loadCount) in \(real.text) s of real time, \((Double(run.loadCount) / real).text) per \
            second with store and driver; machine \((Double(full - without) / Double(count)).text) bytes per \
            record; peak of the process \(peakMegabytes()) MB
            """)
    }

    /// A steady state of so many sites: reads per resync; then a resync in which all sites have changed while users write.
    static func resync(count: Int) async throws {
        var generator = SplitMix64(state: 2)
        let run = ScaleRun(pace: .blocking, store: MemoryStore(generator: &generator))
        try await run.begin()
        try await run.create(count: count)
        try await run.run(for: .seconds(200_000)) { $0.readyCount == count }
        try await run.run(for: .seconds(3600))
        let (reads, details, writes, commits) = (
            run.azure.readCount, run.azure.detailsCount, run.azure.writeCount, run.commitCount
        )
        try await run.run(for: .seconds(3000))
        let looks = run.azure.detailsCount - details
        let perResync = Double(run.azure.readCount - reads - 2 * looks) / 10
        print(
            """
            \(count) steady sites: \(perResync.text) reads per resync = \((perResync * 1000 / Double(count)).text) per \
            1,000 sites with pages of \(VirtualAzure.pageSize) sites, one read each; beside that \(looks) daily looks; \
            writes \(run.azure.writeCount - writes - looks), commits \(run.commitCount - commits) in ten resyncs
            """)

        // Every site shows another time of change: all records are looked at.
        run.touchAllSites()
        let clock = ContinuousClock()
        var waits: [Double] = []
        var quotaWaits: [Double] = []
        for number in 0..<200 {
            let loads = run.loadCount
            try await run.run(for: .seconds(400)) { $0.loadCount > loads + 20 }
            if number.isMultiple(of: 50) { run.touchAllSites() }
            var called = false
            let before = clock.now
            let uid = try await run.create("user\(number)")
            run.onAzureCall = { caller, _ in if caller == uid { called = true } }
            try await run.work(until: { called })
            if called {
                waits.append((clock.now - before).inSeconds * 1000)
            } else {
                let began = run.now
                try await run.run(for: .seconds(60)) { _ in called }
                quotaWaits.append((run.now - began).inSeconds * 1000)
            }
        }
        guard !waits.isEmpty else { return print("no user's write found the quota to have room") }
        waits.sort()
        print(
            """
            user's write to its first ARM call while \(count) records are resynced (real time of commit, machine and \
            store in memory, one thread; the quota had room): p50 \(waits[waits.count / 2].text) ms, p99 \
            \(waits[waits.count * 99 / 100].text) ms, most \(waits[waits.count - 1].text) ms
            """)
        print(
            "  \(quotaWaits.count) of \(quotaWaits.count + waits.count) found the quota used up by the resync and are not "
                + "among these: they waited \((quotaWaits.max() ?? 0).text) ms of virtual time at most")
        let began = clock.now
        run.feed(.listed(startedAt: run.now, run.sitesForList()))
        print("a list of \(count) sites holds the machine for \(((clock.now - began).inSeconds * 1000).text) ms")
    }

    /// Commits per create on the SQLite store, which counts a revision for each.
    static func commits(count: Int, _ pace: PutPace) async throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("skls-scale-\(getpid())-\(pace)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }  // a leftover in the temporary folder harms nobody
        var generator = SplitMix64(state: 3)
        let store = try SQLiteStore(path: directory.path + "/state.sqlite", generator: &generator)
        let run = ScaleRun(pace: pace, store: store)
        try await run.begin()
        let before = try await store.list(includingDeleted: true).revision.number
        for number in 0..<count { try await run.create("c\(number)") }
        try await run.run(for: .seconds(200_000)) { $0.readyCount == count }
        let after = try await store.list(includingDeleted: true).revision.number
        print(
            """
            SQLite commits per create until ready (the user's own among them; \(pace.rawValue)): \
            \((Double(after - before) / Double(count)).text)
            """)
    }

    /// The planner alone, on one thread: a steady record, which is what a resync decides most, and one that was just declared.
    static func planner() throws {
        var generator = SplitMix64(state: 4)
        guard let name = RecordName("one") else { return }
        let spec = FunctionAppSpec(image: try ImageReference(parsing: "alpine"), args: ["true"], invocations: 0)
        let uid = UID(using: &generator)
        let record = FunctionApp(creating: Manifest(name: name, spec: spec), uid: uid, at: ScaleRun.start)
        let identity = SiteIdentity(name: "site", designHash: "hash", instance: "instance")
        let absent = PlanInput(now: ScaleRun.start, record: record, identity: identity)
        var steady = absent
        let site = ObservedSite(
            name: "site", resourceID: "/site", hostName: "host",
            tags: [SiteTag.instance: "instance", SiteTag.uid: uid.text, SiteTag.designHash: "hash"], state: "Running",
            lastModified: "2026-11-21T00:00:00.000")
        steady.intent = Intent(
            uid: uid, kind: .putSite, siteName: "site", openedAt: ScaleRun.start, isSettled: true)
        steady.site = .present(site, asOf: ScaleRun.start)
        steady.agent = .live(bootID: "00000000000000b0")
        for _ in 0..<3 { steady.record.status = plan(steady).status }
        for (label, input) in [("steady", steady), ("absent", absent)] {
            let clock = ContinuousClock()
            let count = 20_000
            var actions = 0
            let began = clock.now
            for _ in 0..<count { actions += plan(input).actions.count }
            let seconds = (clock.now - began).inSeconds
            print(
                "\(label): rule \(plan(input).rule.rawValue), \((Double(count) / seconds).text) per second, actions \(actions)"
            )
        }
    }

    /// Bytes of the process in memory, once the allocator has given back what it can.
    static func residentBytes() -> Int {
        typealias Trim = @convention(c) (Int) -> CInt
        // The C library's own function, which its Swift module leaves out.
        if let symbol = dlsym(nil, "malloc_trim") { _ = unsafeBitCast(symbol, to: Trim.self)(0) }
        return kilobytes("VmRSS") * 1024
    }

    static func peakMegabytes() -> Int { kilobytes("VmHWM") / 1024 }

    private static func kilobytes(_ name: String) -> Int {
        // Without it the figure is 0, which shows.
        let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix(name + ":") } ?? ""
        return Int(line.split(separator: " ").dropFirst().first ?? "") ?? 0
    }
}

extension Duration {
    fileprivate var inSeconds: Double {
        Double(components.seconds) + Double(components.attoseconds) * 1e-18
    }
}

extension Double {
    /// Three digits that matter, or whole.
    fileprivate var text: String {
        self >= 100 ? String(format: "%.0f", self) : String(format: "%.2f", self)
    }
}
