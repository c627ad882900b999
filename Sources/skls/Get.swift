import ArgumentParser
import DesiredState
import Foundation
import RecordsClient
import Yams

struct Get: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show records.",
        discussion: """
            Without names all records are shown, or those that are selected. The output of -o yaml can be applied again.

            Label selectors are kubectl's: a=b,c!=d,e in (x,y),!f. Fields are metadata.name, metadata.uid, spec.image, \
            status.site.name, and conditions, such as Ready=True,Failed!=True.

            With --watch every change is printed until the command is interrupted or its --timeout is over, also over \
            restarts of the daemon; \
            -o json and -o yaml then print one document for each change.
            """)

    enum Format: String, ExpressibleByArgument, CaseIterable {
        case table, wide, json, yaml, name
    }

    @Argument(help: ArgumentHelp("Names of records.", valueName: "name"))
    var names: [String] = []

    @Option(name: [.short, .long, .customLong("format")], help: "How to print them.")
    var output: Format = .table

    @OptionGroup var selectors: SelectorOptions

    @Flag(name: [.short, .long], help: "Go on and print changes.")
    var watch = false

    @Option(help: ArgumentHelp("With --watch: end after so long, such as 30s, 5m or 1h.", valueName: "time"))
    var timeout: TimeoutArgument?

    @OptionGroup var hostOptions: HostOptions

    func validate() throws {
        if !names.isEmpty, selectors.selection != .all {
            throw ValidationError("give names or selectors, not both")
        }
        if timeout != nil, !watch { throw ValidationError("--timeout goes with --watch") }
        if watch, names.count > 1 { throw ValidationError("--watch takes one name, or selectors") }
    }

    func run() async throws {
        let client = try hostOptions.client()
        guard !watch else { return try await watch(client) }
        var records: [FunctionApp] = []
        if names.isEmpty {
            records = try await client.list(selectors.selection).records
        } else {
            for name in names { records.append(try await client.get(name)) }
        }
        switch output {
        case .table, .wide:
            guard !records.isEmpty else {
                Output.note("No records found.")
                return
            }
            Output.result(TerminalText.table(RecordTable.rows(of: records, now: .now, isWide: output == .wide)))
        case .json: Output.result(try json(records))
        case .yaml: Output.result(try records.map(yaml).joined(separator: "---\n"))
        case .name: Output.result(records.map { "functionapp/\($0.metadata.name)\n" }.joined())
        }
    }

    private func watch(_ client: RecordsClient) async throws {
        guard let limit = timeout?.duration else { return try await follow(client) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await follow(client) }
            group.addTask { try await Task.sleep(for: limit) }
            try await group.next()
            group.cancelAll()
        }
    }

    private func follow(_ client: RecordsClient) async throws {
        var selection = selectors.selection
        if let name = names.first {
            _ = try await client.get(name)
            selection.fields = "metadata.name=\(name)"
        }
        var table = RecordTableWatch(isWide: output == .wide)
        for try await event in client.watch(selection) {
            switch output {
            case .table, .wide: Output.result(table.lines(event, now: .now))
            case .json:
                for change in table.news(event) { Output.result(try JSONText.line(change.record)) }
            case .yaml:
                for change in table.news(event) { Output.result("---\n" + (try yaml(change.record))) }
            case .name:
                for change in table.news(event) { Output.result("functionapp/\(change.record.metadata.name)\n") }
            }
        }
    }

    private func yaml(_ record: FunctionApp) throws -> String {
        let encoder = YAMLEncoder()
        encoder.options.sortKeys = true
        return try encoder.encode(record)
    }

    /// One record that was asked for by name is printed as it is, everything else as a list.
    private func json(_ records: [FunctionApp]) throws -> String {
        if names.count == 1, let record = records.first { return try JSONText.pretty(record) }
        return try JSONText.pretty(RecordListDocument(items: records))
    }
}

struct SelectorOptions: ParsableArguments {
    @Option(
        name: [.customShort("l"), .long],
        help: ArgumentHelp("Only records with such labels, as in a=b,c!=d,e in (x,y),!f.", valueName: "labels"))
    var selector = ""

    @Option(help: ArgumentHelp("Only records with such fields, as in Ready=True.", valueName: "fields"))
    var fieldSelector = ""

    var selection: Selection { Selection(labels: selector, fields: fieldSelector) }
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
