import DesiredState
import Foundation
import Logging
import NIOConcurrencyHelpers
import Testing

@testable import Daemon

struct JSONLogTests {
    private func line(_ body: (Logger) -> Void) throws -> [String: Any] {
        let lines = NIOLockedValueBox("")
        let handler = JSONLogHandler(clock: { Instant(nanoseconds: 1_700_000_000_123_456_789) }) { line in
            lines.withLockedValue { $0 += line }
        }
        var logger = Logger(label: "test") { _ in handler }
        logger.logLevel = .debug
        body(logger)
        let text = lines.withLockedValue { $0 }
        #expect(text.hasSuffix("}\n") && text.count { $0 == "\n" } == 1, "one line: \(text)")
        return try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    }

    @Test func `a line is one JSON object with time, level, message and metadata`() throws {
        let object = try line { logger in
            logger.warning("a call failed", metadata: ["key": "0123", "passed_over": ["a", "b"], "n": "\(7)"])
        }
        #expect(object["time"] as? String == "2023-11-14T22:13:20.123456Z")
        #expect(object["level"] as? String == "warning")
        #expect(object["message"] as? String == "a call failed")
        let metadata = try #require(object["metadata"] as? [String: Any])
        #expect(metadata["key"] as? String == "0123")
        #expect(metadata["passed_over"] as? [String] == ["a", "b"])
        #expect(metadata["n"] as? String == "7")
    }

    @Test func `whatever a value holds, the line stays one line and can be read back`() throws {
        let nasty = "a \"quoted\" \\ line\nand\u{0}\u{1b}[31m\u{2028} ä \u{1F600}\r\t"
        let object = try line { $0.info("\(nasty)", metadata: ["reason": "\(nasty)"]) }
        #expect(object["message"] as? String == nasty)
        #expect((object["metadata"] as? [String: Any])?["reason"] as? String == nasty)
    }
}
