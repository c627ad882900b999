// The forms of time in queries and in replies (Azure docs, "The datetime data type", "The timespan data type", read
// 2026-02). Kusto counts in ticks of 100 ns.

extension KQL {
    static let nanosecondsPerTick: Int64 = 100

    /// The units of timespan literals, each in nanoseconds.
    static let units: [String: Double] = {
        let day = 86_400e9
        let table: [(Double, [String])] = [
            (day, ["d", "day", "days"]), (day / 24, ["h", "hr", "hrs", "hour", "hours"]),
            (60e9, ["m", "min", "minute", "minutes"]), (1e9, ["s", "sec", "second", "seconds"]),
            (1e6, ["ms", "milli", "millis", "millisec", "millisecond", "milliseconds"]),
            (1e3, ["micro", "micros", "microsec", "microsecond", "microseconds"]), (100, ["tick", "ticks"]),
        ]
        var units: [String: Double] = [:]
        for (nanoseconds, names) in table { for name in names { units[name] = nanoseconds } }
        return units
    }()

    /// A datetime as text: in whole or fractional seconds, with seven digits of them if `allDigits` (as `tostring`
    /// writes it), else without zeros at the end (as replies do).
    static func text(_ instant: Instant, allDigits: Bool = false) -> String {
        // `iso8601` ends in milliseconds and `Z`.
        let seconds = instant.iso8601.dropLast(5)
        let ticks = (instant.nanoseconds % 1_000_000_000) / nanosecondsPerTick
        var digits = String(ticks)
        digits = String(repeating: "0", count: 7 - digits.count) + digits
        if allDigits { return "\(seconds).\(digits)Z" }
        while digits.last == "0" { digits.removeLast() }
        return digits.isEmpty ? "\(seconds)Z" : "\(seconds).\(digits)Z"
    }

    /// `1.02:03:04.5000000`: days and fraction only where they are not zero.
    static func text(timespan nanoseconds: Int64) -> String {
        let ticks = nanoseconds.magnitude / UInt64(nanosecondsPerTick)
        let seconds = ticks / 10_000_000
        func two(_ value: UInt64) -> String { value < 10 ? "0\(value)" : String(value) }
        var text = nanoseconds < 0 ? "-" : ""
        if seconds >= 86_400 { text += "\(seconds / 86_400)." }
        text += "\(two(seconds / 3_600 % 24)):\(two(seconds / 60 % 60)):\(two(seconds % 60))"
        let fraction = String(ticks % 10_000_000)
        if fraction != "0" { text += "." + String(repeating: "0", count: 7 - fraction.count) + fraction }
        return text
    }

    static func text(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Infinity" : "Infinity" }
        return value == value.rounded() && abs(value) < 1e15 ? "\(Int64(value)).0" : "\(value)"
    }

    /// A time in one of ISO 8601's forms: a date, or a date and a time with `T` or a space, with a fraction, `Z` or an
    /// offset. Nil for all else, and for years outside 1678…2261, which nanoseconds cannot count.
    static func instant(_ text: some StringProtocol) -> Instant? {
        var reader = DigitReader(bytes: Array(text.utf8))
        guard let year = reader.number(4), reader.take("-"), let month = reader.number(2), reader.take("-"),
            let day = reader.number(2), (1_678...2_261).contains(year), (1...12).contains(month),
            (1...daysInMonth(month, year)).contains(day)
        else { return nil }
        var nanoseconds: Int64 = days(year, month, day) * 86_400 * 1_000_000_000
        if reader.isAtEnd { return Instant(nanoseconds: nanoseconds) }
        guard reader.take("T") || reader.take("t") || reader.take(" "), let hour = reader.number(2), reader.take(":"),
            let minute = reader.number(2), hour < 24, minute < 60
        else { return nil }
        nanoseconds += (hour * 3_600 + minute * 60) * 1_000_000_000
        if reader.take(":") {
            guard let second = reader.number(2), second < 60 else { return nil }
            nanoseconds += second * 1_000_000_000
            if reader.take(".") {
                guard let fraction = reader.fraction() else { return nil }
                nanoseconds += fraction
            }
        }
        if reader.take("Z") || reader.take("z") || reader.isAtEnd {
            return reader.isAtEnd ? Instant(nanoseconds: nanoseconds) : nil
        }
        let isWest = reader.take("-")
        guard isWest || reader.take("+"), let hours = reader.number(2), hours <= 14 else { return nil }
        _ = reader.take(":")
        guard let minutes = reader.number(2), minutes < 60, reader.isAtEnd else { return nil }
        let offset = (hours * 3_600 + minutes * 60) * 1_000_000_000
        return Instant(nanoseconds: nanoseconds + (isWest ? offset : -offset))
    }

    /// A timespan as text: `1h`, `1.02:03:04.5`, `00:05`. In nanoseconds.
    static func timespan(_ text: some StringProtocol) -> Int64? {
        let text = text.drop { $0 == " " }
        let number = text.prefix { $0.isNumber && $0.isASCII || $0 == "." }
        if let value = Double(number), let unit = units[String(text.dropFirst(number.count)).lowercased()] {
            return whole(value * unit)
        }
        let isNegative = text.first == "-"
        var rest = isNegative ? text.dropFirst() : text[...]
        var total: Double = 0
        if let point = rest.firstIndex(of: "."), let colon = rest.firstIndex(of: ":"), point < colon {
            guard let days = Int32(rest[..<point]), days >= 0 else { return nil }
            total = Double(days) * 86_400
            rest = rest[rest.index(after: point)...]
        } else if let days = Int32(rest), days >= 0 {
            return whole((isNegative ? -1 : 1) * Double(days) * 86_400e9)
        }
        let parts = rest.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2 || parts.count == 3, let hours = Int32(parts[0]), let minutes = Int32(parts[1]),
            hours >= 0, (0..<60).contains(minutes)
        else { return nil }
        total += Double(hours) * 3_600 + Double(minutes) * 60
        if parts.count == 3 {
            guard let seconds = Double(parts[2]), seconds >= 0, seconds < 60 else { return nil }
            total += seconds
        }
        return whole((isNegative ? -1 : 1) * total * 1e9)
    }

    /// The nearest whole number, nil where 64 bits cannot hold it.
    static func whole(_ value: Double) -> Int64? { Int64(exactly: value.rounded()) }

    /// A period of ISO 8601 such as `PT1H`, `P1D`, `PT3600.0S`, in nanoseconds. Years and months are not taken: they
    /// have no fixed length.
    static func period(_ text: some StringProtocol) -> Int64? {
        guard text.first == "P", text.count > 1 else { return nil }
        var total = 0.0
        var isTime = false
        var digits = ""
        for character in text.dropFirst() {
            if character == "T" {
                guard !isTime, digits.isEmpty else { return nil }
                isTime = true
            } else if character.isASCII, character.isNumber || character == "." {
                digits.append(character)
            } else {
                guard let value = Double(digits) else { return nil }
                digits = ""
                switch (character, isTime) {
                case ("W", false): total += value * 7 * 86_400e9
                case ("D", false): total += value * 86_400e9
                case ("H", true): total += value * 3_600e9
                case ("M", true): total += value * 60e9
                case ("S", true): total += value * 1e9
                default: return nil
                }
            }
        }
        return digits.isEmpty ? whole(total) : nil
    }

    private static func daysInMonth(_ month: Int64, _ year: Int64) -> Int64 {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Days from 1970-01-01 to a date of the proleptic Gregorian calendar.
    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = shifted / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}

private struct DigitReader {
    let bytes: [UInt8]
    var offset = 0

    var isAtEnd: Bool { offset == bytes.count }

    mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard offset < bytes.count, bytes[offset] == UInt8(ascii: character) else { return false }
        offset += 1
        return true
    }

    /// A number of exactly so many digits.
    mutating func number(_ count: Int) -> Int64? {
        guard offset + count <= bytes.count else { return nil }
        var value: Int64 = 0
        for byte in bytes[offset..<(offset + count)] {
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
            value = value * 10 + Int64(byte - UInt8(ascii: "0"))
        }
        offset += count
        return value
    }

    /// The digits behind a decimal point, as nanoseconds; what is below a nanosecond is dropped.
    mutating func fraction() -> Int64? {
        var value: Int64 = 0
        var count = 0
        while offset < bytes.count, bytes[offset] >= UInt8(ascii: "0"), bytes[offset] <= UInt8(ascii: "9") {
            if count < 9 { value = value * 10 + Int64(bytes[offset] - UInt8(ascii: "0")) }
            count += 1
            offset += 1
        }
        guard count > 0 else { return nil }
        for _ in min(count, 9)..<9 { value *= 10 }
        return value
    }
}
