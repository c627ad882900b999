import ArgumentParser
import DesiredState
import Foundation
import RecordsClient
import Yams

struct Get: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show records.",
        discussion: "Without names all records are shown. The output of -o yaml can be applied again.")

    enum Format: String, ExpressibleByArgument, CaseIterable {
        case table, json, yaml, name
    }

    @Argument(help: ArgumentHelp("Names of records.", valueName: "name"))
    var names: [String] = []

    @Option(name: .shortAndLong, help: "How to print them.")
    var output: Format = .table

    @OptionGroup var hostOptions: HostOptions

    func run() async throws {
        let client = try hostOptions.client()
        var records: [FunctionApp] = []
        if names.isEmpty {
            records = try await client.list().records
        } else {
            for name in names { records.append(try await client.get(name)) }
        }
        switch output {
        case .table:
            guard !records.isEmpty else {
                Output.note("No records found.")
                return
            }
            Output.result(TerminalText.table(RecordTable.rows(of: records, now: .now)))
        case .json: Output.result(try json(records))
        case .yaml:
            let encoder = YAMLEncoder()
            encoder.options.sortKeys = true
            Output.result(try records.map { try encoder.encode($0) }.joined(separator: "---\n"))
        case .name: Output.result(records.map { "functionapp/\($0.metadata.name)\n" }.joined())
        }
    }

    /// One record that was asked for by name is printed as it is, everything else as a list.
    private func json(_ records: [FunctionApp]) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        if names.count == 1, let record = records.first {
            return String(decoding: try encoder.encode(record), as: UTF8.self) + "\n"
        }
        let list = RecordListDocument(items: records)
        return String(decoding: try encoder.encode(list), as: UTF8.self) + "\n"
    }
}

private struct RecordListDocument: Encodable {
    let apiVersion = FunctionApp.apiVersion
    let kind = "FunctionAppList"
    let items: [FunctionApp]
}

extension Instant {
    /// By the wall clock, for the ages of things.
    static var now: Instant {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }
}
