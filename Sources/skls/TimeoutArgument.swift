import ArgumentParser

/// A time span as people write it: `30s`, `5m`, `1h`, `1h30m`, `500ms`.
struct TimeoutArgument: ExpressibleByArgument, CustomStringConvertible {
    let duration: Duration
    let description: String

    static let thirtySeconds = TimeoutArgument(.seconds(30), "30s")
    static let fiveMinutes = TimeoutArgument(.seconds(300), "5m")

    private init(_ duration: Duration, _ description: String) {
        self.duration = duration
        self.description = description
    }

    init?(argument: String) {
        var rest = argument[...]
        var total = Duration.zero
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            rest = rest.dropFirst(digits.count)
            let unit = rest.prefix { $0.isLetter }
            rest = rest.dropFirst(unit.count)
            // A year of milliseconds is far below what overflows.
            guard digits.count <= 11, let number = Int64(digits) else { return nil }
            switch unit {
            case "ms": total += .milliseconds(number)
            case "s": total += .seconds(number)
            case "m": total += .seconds(number * 60)
            case "h": total += .seconds(number * 3600)
            default: return nil
            }
        }
        duration = total
        description = argument
    }

    var defaultValueDescription: String { description }
}
