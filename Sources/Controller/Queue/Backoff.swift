import DesiredState

/// Exponential back-off with jitter, as a pure function of the number of failures and a random number.
struct Backoff: Sendable {
    let first: Duration
    let longest: Duration

    /// A container that starts: the front end holds requests meanwhile, so failures are rare and mean "not yet".
    static let agent = Backoff(first: .milliseconds(100), longest: .seconds(10))
    static let azure = Backoff(first: .seconds(1), longest: .seconds(120))
    static let store = Backoff(first: .milliseconds(200), longest: .seconds(30))
    /// The slowest lane, for what will not get better by itself.
    static let terminal = Backoff(first: .seconds(60), longest: .seconds(600))

    /// Between half of and the whole of `first` × 2^(failures − 1), at most `longest`. `failures` from 1.
    func delay(afterFailures failures: Int, using generator: inout some RandomNumberGenerator) -> Duration {
        let doublings = min(max(failures - 1, 0), 16)
        let whole = min(first * (1 << doublings), longest)
        return whole / 2 + (whole / 2) * Double.random(in: 0...1, using: &generator)
    }
}

/// A small seeded generator (SplitMix64; Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014): the same numbers in each process.
package struct SplitMix64: RandomNumberGenerator, Sendable {
    package var state: UInt64

    package init(state: UInt64) {
        self.state = state
    }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}
