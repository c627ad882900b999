import ArgumentParser
import DesiredState
import Foundation
import RecordsClient

struct Explain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say why nothing happens to a record, or what does.",
        discussion: """
            Shows the rule that decides, what it was decided by, what is waited for and until when, what is left of \
            Azure's quotas, and the last calls with their correlation ids.
            """)

    @Argument(help: ArgumentHelp("Name of the record.", valueName: "name"))
    var name: String

    @Option(help: "How to print it.")
    var format: PrintFormat = .table

    @OptionGroup var hostOptions: HostOptions

    func run() async throws {
        let explanation = try await hostOptions.client().explain(name)
        switch format {
        case .table: Output.result(ExplanationText.page(explanation))
        case .json: try Output.json(explanation)
        }
    }
}

struct Events: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what happened to a record.",
        discussion: "The newest last. Of each record the newest \(JournalEntry.maximumPerRecord) entries are kept.")

    @Argument(help: ArgumentHelp("Name of the record.", valueName: "name"))
    var name: String

    @Option(help: "How to print them.")
    var format: PrintFormat = .table

    @OptionGroup var hostOptions: HostOptions

    func run() async throws {
        let events = try await hostOptions.client().events(name)
        switch format {
        case .table:
            guard !events.items.isEmpty else {
                Output.note("No events found.")
                return
            }
            Output.result(ExplanationText.table(events, now: .now))
        case .json: try Output.json(events)
        }
    }
}

enum PrintFormat: String, ExpressibleByArgument, CaseIterable {
    case table, json
}

extension Output {
    /// Indented, with sorted keys.
    static func json(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        result(String(decoding: try encoder.encode(value), as: UTF8.self) + "\n")
    }
}
