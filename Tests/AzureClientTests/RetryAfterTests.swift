import NIOHTTP1
import Testing

@testable import AzureClient

@Suite struct RetryAfterTests {
    static let cases: [(HTTPHeaders, Duration?)] = [
        ([:], nil),
        (["retry-after": "17"], .seconds(17)),
        (["Retry-After": " 0 "], .zero),
        (["retry-after": "-3"], nil),
        (["retry-after": "1.5"], nil),
        (["retry-after": "soon"], nil),
        (["retry-after": "99999999999999999999"], .seconds(86_400)),
        (["retry-after-ms": "250", "retry-after": "9"], .milliseconds(250)),
        (["x-ms-retry-after-ms": "1500"], .milliseconds(1500)),
        (
            ["retry-after": "Sun, 06 Nov 1994 08:50:37 GMT", "date": "Sun, 06 Nov 1994 08:49:37 GMT"], .seconds(60)
        ),
        (["retry-after": "Sunday, 09-Sep-01 01:46:50 GMT"], .seconds(10)),
        (["retry-after": "Sun Sep  9 01:46:45 2001"], .seconds(5)),
        (["retry-after": "Sun, 06 Nov 1994 08:49:37 GMT"], .zero),
    ]

    @Test(arguments: cases) func `every form of Retry-After is read`(_ headers: HTTPHeaders, _ expected: Duration?) {
        #expect(RetryAfter.duration(headers, unixSeconds: 1_000_000_000) == expected)
    }

    @Test(arguments: [
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0), ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
        ("Thu, 29 Feb 2024 12:00:00 GMT", 1_709_208_000), ("Fri, 31 Dec 2100 23:59:59 GMT", 4_133_980_799),
    ]) func `dates are counted in the Gregorian calendar`(_ text: String, _ seconds: Int64) {
        #expect(HTTPDate.unixSeconds(text) == seconds)
    }

    @Test(arguments: [
        "", "GMT", "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49 GMT", "Sun, 06 Nov 1994 25:00:00 GMT",
        "Sun, 06 Nov 1994 08:49:37 CET",
    ])
    func `what is no date is not read as one`(_ text: String) {
        #expect(HTTPDate.unixSeconds(text) == nil)
    }
}
