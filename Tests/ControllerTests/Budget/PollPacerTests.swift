import AzureClient
import DesiredState
import Testing

@testable import Controller

@Suite(.timeLimit(.minutes(1)))
struct PollPacerTests {
    private static let start = Instant(nanoseconds: 1_700_000_000_000_000_000)
    /// Azure's published rate, so that shares are shares of it.
    private static let reads = RequestRate(burst: 250, perSecond: 25)

    private func uid(_ number: Int) -> UID {
        var generator = SplitMix64(state: UInt64(number) &+ 1)
        return UID(using: &generator)
    }

    @Test func `with few operations Azure's own wait decides`() {
        var pacer = PollPacer(Self.reads)
        #expect(pacer.accepted(uid(1), named: .seconds(15), now: Self.start) == .seconds(15))
        #expect(pacer.accepted(uid(2), named: .seconds(1), now: Self.start) == .seconds(1))
        #expect(pacer.goesOn(uid(1), named: .seconds(15), now: Self.start + .seconds(15)) == .seconds(15))
    }

    @Test func `Azure's wait is never undercut`() {
        var pacer = PollPacer(Self.reads)
        for number in 0..<500 { _ = pacer.accepted(uid(number), named: .seconds(1), now: Self.start) }
        #expect(pacer.accepted(uid(500), named: .seconds(170), now: Self.start) == .seconds(170))
        #expect(pacer.goesOn(uid(1), named: .seconds(170), now: Self.start + .seconds(30)) == .seconds(170))
    }

    @Test(arguments: [8, 60, 200]) func `the time after which most have ended is learned, and bounded`(seconds: Int64) {
        var pacer = PollPacer(Self.reads)
        for number in 0..<3000 { _ = pacer.accepted(uid(number), named: .zero, now: Self.start) }
        for number in 0..<400 {
            let wait = pacer.accepted(uid(number), named: .zero, now: Self.start)
            if wait < .seconds(seconds) {
                _ = pacer.goesOn(uid(number), named: .zero, now: Self.start + wait)
            } else {
                pacer.finished(uid(number), now: Self.start + wait)
            }
        }
        let usual = pacer.usual
        #expect(usual > .seconds(seconds) * 0.85 && usual < .seconds(seconds) * 1.15, "\(usual)")
        for _ in 0..<400 {
            let wait = pacer.accepted(uid(1), named: .zero, now: Self.start)
            _ = pacer.goesOn(uid(1), named: .zero, now: Self.start + wait)
        }
        #expect(pacer.usual <= PollPacer.bounds.upperBound)
    }

    /// Ten writes per second, as many as Azure takes, whose operations last 30 to 60 s: 450 are in flight. One first poll for each and
    /// a quarter of the reads for all further ones is 10/s + 6.25/s of 25/s; what is left reads the sites.
    @Test(arguments: [30.0...60.0, 44.0...46.0, 10.0...80.0])
    func `450 operations in flight leave a third of the reads`(
        durations: ClosedRange<Double>
    ) {
        let (polls, inFlight) = polls(durations: durations, writesPerSecond: 10)
        #expect((400...500).contains(inFlight), "\(inFlight)")
        #expect(polls <= 0.65 * 25, "\(polls) polls per second")
    }

    @Test func `operations that never end take a quarter of the reads at most`() {
        var pacer = PollPacer(Self.reads)
        var due: [(at: Instant, number: Int)] = (0..<450).map { number in
            (Self.start + pacer.accepted(uid(number), named: .seconds(1), now: Self.start), number)
        }
        var count = 0
        for second in 0..<1200 {
            let now = Self.start + .seconds(second)
            for index in due.indices where due[index].at <= now {
                if second >= 200 { count += 1 }
                due[index].at = now + pacer.goesOn(uid(due[index].number), named: .seconds(1), now: now)
            }
        }
        #expect(Double(count) / 1000 <= 0.25 * 25 * 1.02, "\(Double(count) / 1000) polls per second")
    }

    /// Polls per second in the last 200 of 800 s, and the mean number in flight.
    private func polls(durations: ClosedRange<Double>, writesPerSecond: Int) -> (Double, Double) {
        var pacer = PollPacer(Self.reads)
        var random = SplitMix64(state: 7)
        var due: [Int: Instant] = [:]
        var ends: [Int: Instant] = [:]
        var number = 0
        var polls = 0
        var inFlight = 0
        for tenth in 0..<8000 {
            let now = Self.start + .milliseconds(tenth * 100)
            if tenth % (10 / writesPerSecond) == 0 {
                number += 1
                ends[number] = now + .milliseconds(Int64(Double.random(in: durations, using: &random) * 1000))
                due[number] = now + pacer.accepted(uid(number), named: .seconds(10), now: now)
            }
            for (number, at) in due where at <= now {
                if tenth >= 6000 { polls += 1 }
                if let end = ends[number], end <= now {
                    pacer.finished(uid(number), now: now)
                    due[number] = nil
                    ends[number] = nil
                } else {
                    due[number] = now + pacer.goesOn(uid(number), named: .seconds(10), now: now)
                }
            }
            if tenth >= 6000 { inFlight += ends.values.count { $0 > now } }
        }
        return (Double(polls) / 200, Double(inFlight) / 2000)
    }
}
