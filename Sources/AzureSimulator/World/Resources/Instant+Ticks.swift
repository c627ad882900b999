extension Instant {
    /// `2022-05-05T09:23:09.3248055Z`: seven digits, as the management planes write times (recorded replies, 2022-05).
    var iso8601Ticks: String {
        let ticks = String(nanoseconds % 1_000_000_000 / 100)
        return iso8601.prefix(19) + "." + String(repeating: "0", count: 7 - ticks.utf8.count) + ticks + "Z"
    }

    /// The same for a time that is known to the second, as of shares.
    var iso8601Seconds: String { iso8601.prefix(19) + ".0000000Z" }
}
