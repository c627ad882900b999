/// All chance of a simulation: one stream of numbers from one seed (SplitMix64).
///
/// Unchecked: see `Once`.
final class Dice: @unchecked Sendable {
    private struct Stream: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var word = state
            word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
            word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
            return word ^ (word >> 31)
        }
    }

    private var stream: Stream

    init(seed: UInt64) {
        stream = Stream(state: seed &* 0x9E37_79B9_7F4A_7C15 ^ 0xD1CE)
    }

    func number() -> UInt64 { stream.next() }

    /// In 0..<1.
    func fraction() -> Double { Double.random(in: 0..<1, using: &stream) }

    func chance(_ probability: Double) -> Bool { probability > 0 && fraction() < probability }

    func int(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &stream) }

    func milliseconds(_ range: ClosedRange<Int>) -> Duration { .milliseconds(int(range)) }

    func pick<Element>(_ elements: [Element]) -> Element { elements[int(0...elements.count - 1)] }

    func hex(_ count: Int) -> String {
        let digits = Array("0123456789abcdef")
        return String((0..<count).map { _ in digits[int(0...15)] })
    }

    /// A generator of its own, for what draws in amounts of its own.
    func branch() -> some RandomNumberGenerator { Stream(state: number()) }
}
