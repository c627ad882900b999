/// Go's spelling of durations (`time.ParseDuration`): `1h30m`, `90m`, `0.5h`, `250ms`.
enum GoDuration {
    /// `nil` for anything else, for negative ones and for those beyond a century.
    static func parse(_ text: String) -> Duration? {
        if text == "0" { return .zero }
        var seconds = 0.0
        var rest = text[...]
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let number = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            rest = rest.dropFirst(number.count)
            let unit = rest.prefix { $0.isLetter }
            rest = rest.dropFirst(unit.count)
            guard let value = Double(number), let scale = units[String(unit)] else { return nil }
            seconds += value * scale
        }
        guard seconds <= 100 * 365 * 86_400 else { return nil }
        return .nanoseconds(Int64(seconds * 1e9))
    }

    private static let units = ["ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600]
}
