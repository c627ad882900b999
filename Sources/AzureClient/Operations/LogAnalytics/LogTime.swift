/// A point of time as Log Analytics keeps it: 100 ns steps since 1970-01-01T00:00:00Z. Exact, so that a time that was
/// read can be asked for again.
package struct LogTime: Sendable, Hashable, Comparable, Codable {
    package var ticks: Int64

    package init(ticks: Int64) { self.ticks = ticks }

    package init(unixSeconds: Int64) { ticks = unixSeconds * Self.ticksPerSecond }

    package static let ticksPerSecond: Int64 = 10_000_000

    package static func < (left: LogTime, right: LogTime) -> Bool { left.ticks < right.ticks }

    /// Later by a duration, or earlier by a negative one; what is below 100 ns is dropped.
    package func advanced(by duration: Duration) -> LogTime {
        let (seconds, attoseconds) = duration.components
        return LogTime(ticks: ticks &+ seconds &* Self.ticksPerSecond &+ attoseconds / 100_000_000_000)
    }

    /// Reads `2026-01-02T03:04:05.1234567Z`; the fraction may have any number of digits. Nil for all else.
    package init?(_ text: String) {
        let halves = text.split(separator: "T", omittingEmptySubsequences: false)
        guard halves.count == 2, halves[1].last == "Z" else { return nil }
        let date = halves[0].split(separator: "-", omittingEmptySubsequences: false).map { Self.number($0) }
        let clock = halves[1].dropLast().split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        let time = clock[0].split(separator: ":", omittingEmptySubsequences: false).map { Self.number($0) }
        guard date.count == 3, time.count == 3, let year = date[0], let month = date[1], let day = date[2],
            let hour = time[0], let minute = time[1], let second = time[2], (1...9_999).contains(year),
            (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second < 61
        else { return nil }
        var fraction: Int64 = 0
        if clock.count == 2 {
            let digits = clock[1].prefix(7)
            guard !digits.isEmpty, clock[1].utf8.allSatisfy({ (48...57).contains($0) }), let value = Int64(digits)
            else {
                return nil
            }
            fraction = value
            for _ in digits.count..<7 { fraction *= 10 }
        }
        let seconds = HTTPDate.days(year: year, month: month, day: day) * 86_400 + hour * 3_600 + minute * 60 + second
        ticks = seconds * Self.ticksPerSecond + fraction
    }

    private static func number(_ text: Substring) -> Int64? {
        text.utf8.allSatisfy { (48...57).contains($0) } ? Int64(text) : nil
    }
}

extension LogTime: CustomStringConvertible {
    /// `2026-01-02T03:04:05.1234567Z`, always with seven digits, so that equal times have equal texts.
    package var description: String {
        let seconds = Self.floorDivide(ticks, Self.ticksPerSecond)
        let fraction = ticks - seconds * Self.ticksPerSecond
        let days = Self.floorDivide(seconds, 86_400)
        let second = seconds - days * 86_400
        let shifted = days + 719_468
        let era = Self.floorDivide(shifted, 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthIndex = (5 * dayOfYear + 2) / 153
        let month = monthIndex < 10 ? monthIndex + 3 : monthIndex - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return
            "\(Self.padded(year, 4))-\(Self.padded(month, 2))-\(Self.padded(dayOfYear - (153 * monthIndex + 2) / 5 + 1, 2))"
            + "T\(Self.padded(second / 3_600, 2)):\(Self.padded(second / 60 % 60, 2)):\(Self.padded(second % 60, 2))"
            + ".\(Self.padded(fraction, 7))Z"
    }

    private static func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
        value / divisor - (value % divisor < 0 ? 1 : 0)
    }

    private static func padded(_ value: Int64, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}

extension KQLLiteral {
    /// `datetime(2026-01-02T03:04:05.1234567Z)`
    package static func datetime(_ time: LogTime) -> String { "datetime(\(time))" }
}
