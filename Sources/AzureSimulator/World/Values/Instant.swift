/// A point of wall-clock time: nanoseconds since 1970-01-01T00:00:00Z.
///
/// The World never reads a clock; every event carries the `Instant` at which it happened, so that the same script of
/// events gives the same replies on every run.
struct Instant: Hashable, Comparable, Sendable, Codable {
    var nanoseconds: Int64

    static func < (left: Instant, right: Instant) -> Bool { left.nanoseconds < right.nanoseconds }

    static func + (instant: Instant, duration: Duration) -> Instant {
        let (seconds, attoseconds) = duration.components
        return Instant(nanoseconds: instant.nanoseconds + seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    }

    /// The time from `earlier` to `later`; negative if they are swapped.
    static func - (later: Instant, earlier: Instant) -> Duration {
        .nanoseconds(later.nanoseconds - earlier.nanoseconds)
    }

    /// Whole seconds since 1970, rounded down.
    var seconds: Int64 { nanoseconds / 1_000_000_000 }
}

// MARK: - The forms of time that Azure writes

extension Instant {
    private struct Parts {
        var year, month, day, hour, minute, second, nanosecond: Int64
    }

    /// Days to a civil date by the usual era arithmetic (proleptic Gregorian calendar).
    private var parts: Parts {
        let days = seconds / 86_400
        let secondOfDay = seconds % 86_400
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthIndex = (5 * dayOfYear + 2) / 153
        let month = monthIndex < 10 ? monthIndex + 3 : monthIndex - 9
        return Parts(
            year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month: month,
            day: dayOfYear - (153 * monthIndex + 2) / 5 + 1, hour: secondOfDay / 3_600,
            minute: secondOfDay / 60 % 60, second: secondOfDay % 60, nanosecond: nanoseconds % 1_000_000_000)
    }

    /// `2026-11-21T02:31:00.123Z`, as in container logs and journals.
    var iso8601: String {
        let parts = parts
        return "\(parts.year)-\(padded(parts.month))-\(padded(parts.day))T\(padded(parts.hour)):"
            + "\(padded(parts.minute)):\(padded(parts.second)).\(padded(parts.nanosecond / 1_000_000, 3))Z"
    }

    /// `2022-07-11T19:23:26.67`: no zone and no trailing zeros, as sites show `lastModifiedTimeUtc`
    /// (observed in recorded replies of Microsoft.Web, 2022-07).
    var lastModified: String {
        let parts = parts
        var fraction = "." + padded(parts.nanosecond / 100, 7)
        while fraction.last == "0" || fraction.last == "." { fraction.removeLast() }
        return "\(parts.year)-\(padded(parts.month))-\(padded(parts.day))T\(padded(parts.hour)):"
            + "\(padded(parts.minute)):\(padded(parts.second))\(fraction)"
    }

    /// `20250501T143306Z`, the middle of `x-ms-routing-request-id`.
    var routingStamp: String {
        let parts = parts
        return "\(parts.year)\(padded(parts.month))\(padded(parts.day))T"
            + "\(padded(parts.hour))\(padded(parts.minute))\(padded(parts.second))Z"
    }

    /// `Sun, 06 Nov 1994 08:49:37 GMT`, the form of HTTP's headers (RFC 9110, section 5.6.7).
    var httpDate: String {
        let parts = parts
        let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        // 1970-01-01 was a Thursday.
        return "\(weekdays[Int((seconds / 86_400 + 4) % 7)]), \(padded(parts.day)) \(months[Int(parts.month) - 1]) "
            + "\(parts.year) \(padded(parts.hour)):\(padded(parts.minute)):\(padded(parts.second)) GMT"
    }

    /// `5/3/2023 9:37:17 PM`, the form in the text of authentication errors.
    var american: String {
        let parts = parts
        let hour = parts.hour % 12 == 0 ? 12 : parts.hour % 12
        return "\(parts.month)/\(parts.day)/\(parts.year) \(hour):\(padded(parts.minute)):\(padded(parts.second)) "
            + (parts.hour < 12 ? "AM" : "PM")
    }
}

private func padded(_ value: Int64, _ width: Int = 2) -> String {
    let digits = String(value)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
}
