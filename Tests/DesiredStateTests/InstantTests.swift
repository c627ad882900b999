import DesiredState
import Testing

struct InstantTests {
    @Test(arguments: [
        ("1970-01-01T00:00:00Z", 0), ("2024-02-29T23:59:59.5Z", 1_709_251_199_500_000_000),
        ("1969-12-31T23:59:59.999999999Z", -1), ("2026-01-01T01:00:00+01:00", 1_767_225_600_000_000_000),
    ])
    func `RFC 3339 is read to the nanosecond`(text: String, nanoseconds: Int64) throws {
        #expect(Instant(rfc3339: text)?.nanoseconds == nanoseconds)
    }

    @Test(arguments: [
        "", "2024-02-30T00:00:00Z", "2024-01-01", "2024-01-01T00:00:00", "2024-13-01T00:00:00Z",
        "2024-01-01T00:00:00.Z", "x",
    ])
    func `what is no time is refused`(text: String) {
        #expect(Instant(rfc3339: text) == nil)
    }

    @Test func `writing and reading give the same instant, through leap years and before 1970`() {
        for days in stride(from: -100_000, through: 100_000, by: 37) {
            let instant = Instant(nanoseconds: Int64(days) * 86_400_000_000_000 + Int64(days) * 1_234_567)
            #expect(Instant(rfc3339: instant.rfc3339()) == instant)
        }
    }

    @Test func `sums saturate instead of trapping`() {
        #expect(Instant(nanoseconds: .max) + .seconds(5) == Instant(nanoseconds: .max))
        #expect(Instant(nanoseconds: .min) - Instant(nanoseconds: .max) < .zero)
    }
}
