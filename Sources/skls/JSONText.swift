import ArgumentParser
import Foundation

/// Results for programs.
enum JSONText {
    static func pretty(_ value: some Encodable) throws -> String {
        try text(value, [.prettyPrinted])
    }

    /// On one line, for results that come one by one.
    static func line(_ value: some Encodable) throws -> String {
        try text(value, [])
    }

    /// Names and results are short ASCII; quotes and backslashes are not among their characters, but cost nothing to escape.
    static func string(_ text: String) -> String {
        "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }

    private static func text(_ value: some Encodable, _ formatting: JSONEncoder.OutputFormatting) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = formatting.union([.sortedKeys, .withoutEscapingSlashes])
        return String(decoding: try encoder.encode(value), as: UTF8.self) + "\n"
    }
}

/// How a verb tells what it did.
enum ReportFormat: String, ExpressibleByArgument, CaseIterable {
    case text
    /// A line of JSON for each record.
    case json
}

struct ReportOptions: ParsableArguments {
    @Option(
        name: [.customShort("o"), .customLong("format"), .customLong("output")],
        help: "text, or json: a line for each record.")
    var format: ReportFormat = .text

    /// `functionapp/NAME RESULT`
    func print(_ name: String, _ result: String) {
        switch format {
        case .text: Output.result("functionapp/\(name) \(result)\n")
        case .json:
            Output.result(
                "{\"kind\":\"FunctionApp\",\"name\":\(JSONText.string(name)),\"result\":\(JSONText.string(result))}\n")
        }
    }
}
