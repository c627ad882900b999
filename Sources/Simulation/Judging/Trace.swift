/// What happened, in order: the newest steps for people, and a number over all of them that two runs of one seed share.
///
/// Unchecked: see `Once`.
final class Trace: @unchecked Sendable {
    static let kept = 60

    private(set) var recent: [String] = []
    private(set) var count = 0
    /// FNV-1a over every line.
    private(set) var digest: UInt64 = 0xCBF2_9CE4_8422_2325
    private let time: VirtualTime
    private let isPrinted: Bool

    init(time: VirtualTime, isPrinted: Bool) {
        self.time = time
        self.isPrinted = isPrinted
    }

    func note(_ text: @autoclosure () -> String) {
        count += 1
        let line = "\(stamp) \(text())"
        for byte in line.utf8 { digest = (digest ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        if isPrinted { print(line) }
        recent.append(line)
        if recent.count > 2 * Self.kept { recent.removeFirst(Self.kept) }
    }

    private var stamp: String {
        let milliseconds = time.elapsed / 1_000_000
        let fraction = String(milliseconds % 1_000)
        return "\(milliseconds / 1_000)." + String(repeating: "0", count: 3 - fraction.count) + fraction
    }
}
