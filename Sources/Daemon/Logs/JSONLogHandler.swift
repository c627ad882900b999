package import DesiredState
import Foundation
package import Logging

/// How log lines look.
package enum LogFormat: String, Sendable, CaseIterable {
    case text, json
}

/// One JSON object per line: `time`, `level`, `message`, `source`, and `metadata` where there is some. Metadata keeps its
/// structure; its keys are sorted.
package struct JSONLogHandler: LogHandler {
    package var logLevel: Logger.Level = .info
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?
    private let clock: @Sendable () -> Instant
    private let write: @Sendable (String) -> Void

    /// `write` is given whole lines, with their ends.
    package init(clock: @escaping @Sendable () -> Instant, write: @escaping @Sendable (String) -> Void) {
        self.clock = clock
        self.write = write
    }

    /// To standard error.
    package static func standardError() -> JSONLogHandler {
        JSONLogHandler(clock: DaemonCore.clock) { FileHandle.standardError.write(Data($0.utf8)) }
    }

    package subscript(metadataKey key: String) -> Logger.MetadataValue? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        var all = metadata
        if let provided = metadataProvider?.get() { all.merge(provided) { _, newer in newer } }
        if let own = event.metadata { all.merge(own) { _, newer in newer } }
        var line = "{\"time\":\"" + clock().rfc3339(fractionDigits: 6) + "\",\"level\":\"" + event.level.rawValue
        line += "\",\"message\":" + JSONText.quoted("\(event.message)")
        line += ",\"source\":" + JSONText.quoted(event.source)
        if !all.isEmpty { line += ",\"metadata\":" + JSONText.object(all) }
        write(line + "}\n")
    }
}

/// JSON of log metadata and of spans.
enum JSONText {
    static func object(_ metadata: Logger.Metadata) -> String {
        "{" + metadata.sorted { $0.key < $1.key }.map { quoted($0.key) + ":" + value($0.value) }.joined(separator: ",")
            + "}"
    }

    private static func value(_ value: Logger.MetadataValue) -> String {
        switch value {
        case .string(let text): quoted(text)
        case .stringConvertible(let value): quoted(value.description)
        case .dictionary(let members): object(members)
        case .array(let values): "[" + values.map { self.value($0) }.joined(separator: ",") + "]"
        }
    }

    static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\r": quoted += "\\r"
            case "\t": quoted += "\\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x2028 || scalar.value == 0x2029:
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
