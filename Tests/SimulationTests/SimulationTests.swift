import Controller
import Testing

@testable import Simulation

@Suite struct SimulationTests {
    @Test func oneSeedTwiceIsOneRun() {
        for seed: UInt64 in 1...5 {
            let options = SimulationRun.Options(seed: seed, scenario: .mixed)
            let first = SimulationRun.report(options)
            let second = SimulationRun.report(options)
            #expect(first.digest == second.digest)
            #expect(first.steps == second.steps)
        }
    }
}
