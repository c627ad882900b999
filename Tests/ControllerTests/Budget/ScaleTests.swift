import Controller
import DesiredState
import ScaleBenchmark
import Testing

/// The benchmark of scale with few records: all time is virtual.
@Suite(.timeLimit(.minutes(5)))
struct ScaleTests {
    private func makeRun(_ pace: PutPace) -> ScaleRun {
        var generator = SplitMix64(state: 1)
        return ScaleRun(pace: pace, store: MemoryStore(generator: &generator))
    }

    @Test(arguments: PutPace.allCases) func `records converge about as fast as the write bucket allows`(
        pace: PutPace
    ) async throws {
        let run = makeRun(pace)
        try await run.begin()
        try await run.create(count: 300)
        try await run.run(for: .seconds(2000)) { $0.readyCount == 300 }
        #expect(run.readyCount == 300 && run.azure.siteCount == 300 && run.azure.writeCount == 300)
        #expect(run.azure.refusedCount == 0, "the buckets refused nothing")
        let bound = Duration.seconds(WriteBound.configured.seconds(writes: 300)) + pace.latency
        #expect(run.lastReadyAt - ScaleRun.start <= bound * 1.05)
        #expect(run.lastReadyAt - ScaleRun.start >= bound, "nothing is quicker than the bucket")
    }

    @Test func `a steady state costs the pages of one list per resync, and no write`() async throws {
        let run = makeRun(.blocking)
        try await run.begin()
        try await run.create(count: 100)
        try await run.run(for: .seconds(4000)) { $0.readyCount == 100 }
        try await run.run(for: .seconds(1000))
        let (reads, details, writes, commits) = (
            run.azure.readCount, run.azure.detailsCount, run.azure.writeCount, run.commitCount
        )
        try await run.run(for: .seconds(3000))
        let pages = VirtualAzure.pages(100)
        // The daily look at every site in full is counted apart: two reads, and a POST that counts as a write.
        let looks = run.azure.detailsCount - details
        #expect(run.azure.readCount - reads - 2 * looks <= 10 * pages)
        #expect(run.azure.writeCount - writes - looks == 0 && run.commitCount == commits)
    }

    @Test func `PUTs that block do not hold up what comes after them`() async throws {
        let run = makeRun(.blocking)
        try await run.begin()
        try await run.create(count: 300)
        try await run.run(for: .seconds(10))
        #expect(run.mostInFlight >= 140 + 7 * 8, "as many as the bucket gave since the start")
    }
}
