#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Dates as token endpoints and the Azure CLI write them, beside those of HTTP.
enum CivilTime {
    /// A date in Universal Time: `1/31/2026 2:03:04 PM +00:00`, the same without AM and PM, or
    /// `2026-01-31T14:03:04Z`, as App Service wrote them. Nil for anything else.
    static func unixSeconds(_ text: String) -> Int64? {
        var words = text.split(separator: " ").map(String.init)
        if words.count == 1, let t = text.firstIndex(of: "T") {
            guard text.hasSuffix("Z") || text.hasSuffix("+00:00") else { return nil }
            let time = text[text.index(after: t)...].prefix { $0 != "Z" && $0 != "+" }
            return seconds(numbers(text[..<t], "-"), numbers(time.prefix { $0 != "." }, ":"))
        }
        guard words.popLast() == "+00:00", (2...3).contains(words.count), let date = numbers(words[0], "/"),
            var time = numbers(words[1], ":")
        else { return nil }
        if words.count == 3 {
            guard let half = ["AM": 0, "PM": 12][words[2]] else { return nil }
            // Hours outside of a 12-hour clock were seen with a marker all the same; they stand for themselves.
            if (1...12).contains(time[0]) { time[0] = time[0] % 12 + Int64(half) }
        }
        return seconds([date[2], date[0], date[1]], time)
    }

    /// A date on this machine's own clock, without a zone: `2026-01-31 14:03:04.000000`, as Azure CLI before 2.54
    /// writes it. An hour that a change of the clock repeats is taken as the first.
    static func localUnixSeconds(_ text: String) -> Int64? {
        let words = text.split(separator: " ")
        guard words.count == 2, let date = numbers(words[0], "-"),
            let time = numbers(words[1].prefix { $0 != "." }, ":"), seconds(date, time) != nil
        else { return nil }
        var parts = tm()
        (parts.tm_year, parts.tm_mon, parts.tm_mday) = (Int32(date[0] - 1900), Int32(date[1] - 1), Int32(date[2]))
        (parts.tm_hour, parts.tm_min, parts.tm_sec) = (Int32(time[0]), Int32(time[1]), Int32(time[2]))
        parts.tm_isdst = -1
        return Int64(mktime(&parts))
    }

    private static func numbers(_ text: some StringProtocol, _ separator: Character) -> [Int64]? {
        let parts = text.split(separator: separator, omittingEmptySubsequences: false).map { part in
            part.utf8.count <= 4 && part.utf8.allSatisfy { (48...57).contains($0) } ? Int64(part) : nil
        }
        guard parts.count == 3 else { return nil }
        let known = parts.compactMap(\.self)
        return known.count == 3 ? known : nil
    }

    /// Year, month and day; hour, minute and second.
    private static func seconds(_ date: [Int64]?, _ time: [Int64]?) -> Int64? {
        guard let date, let time, (1970...9999).contains(date[0]), (1...12).contains(date[1]),
            (1...31).contains(date[2]), (0...23).contains(time[0]), (0...59).contains(time[1]),
            (0...60).contains(time[2])
        else { return nil }
        return HTTPDate.days(year: date[0], month: date[1], day: date[2]) * 86_400 + time[0] * 3600 + time[1] * 60
            + time[2]
    }
}
