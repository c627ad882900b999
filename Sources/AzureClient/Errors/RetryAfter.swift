import NIOHTTP1

/// How long a reply asks its caller to wait.
enum RetryAfter {
    /// A longer wait is taken for this one: it stands for a broken clock or a broken server, and a day's silence is
    /// already more than any documented window.
    static let longest = Duration.seconds(86_400)

    /// Reads, in this order, `retry-after-ms` and `x-ms-retry-after-ms` (milliseconds, as the Azure SDK for Go does,
    /// `azcore/internal/shared`, read 2026-02) and `Retry-After` (seconds or a date, RFC 9110).
    /// A date is measured against the reply's own `Date`, so that a wrong clock here does no harm.
    /// Nil without a readable header; a wait in the past is zero.
    static func duration(_ headers: HTTPHeaders, unixSeconds now: @autoclosure () -> Int64) -> Duration? {
        for name in ["retry-after-ms", "x-ms-retry-after-ms"] {
            if let text = headers.first(name: name), let number = nonnegative(text) {
                return min(.milliseconds(number), longest)
            }
        }
        guard let text = headers.first(name: "retry-after") else { return nil }
        if let number = nonnegative(text) { return min(.seconds(number), longest) }
        guard let then = HTTPDate.unixSeconds(text) else { return nil }
        let sent = headers.first(name: "date").flatMap(HTTPDate.unixSeconds) ?? now()
        return min(.seconds(max(0, then - sent)), longest)
    }

    /// A whole number, cut to what cannot overflow a duration.
    private static func nonnegative(_ text: String) -> Int64? {
        let digits = text.drop(while: { $0 == " " }).prefix(while: { $0 != " " })
        guard !digits.isEmpty, digits.allSatisfy({ $0.isASCII && $0.isNumber }) else { return nil }
        return digits.count > 12 ? 1_000_000_000_000 : Int64(digits)
    }
}
