import ArgumentParser
import DesiredState
import Foundation
import RecordsClient

struct Leaks: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Sites of this installation that no record knows.",
        discussion: """
            The daemon looks for them with every list of sites. One that stays for an hour is quarantined (a tag), and \
            deleted a day later. docs/leaks-and-recovery.md says more.
            """,
        subcommands: [ListLeaks.self, AdoptLeak.self, DeleteLeak.self], defaultSubcommand: ListLeaks.self)
}

struct ListLeaks: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Show them, as the newest sweep saw them.")

    enum Format: String, ExpressibleByArgument, CaseIterable {
        case table, json
    }

    @Option(help: "How to print them.")
    var format: Format = .table

    @OptionGroup var hostOptions: HostOptions

    func run() async throws {
        let report = try await hostOptions.client().leaks()
        if let freeze = report.freeze { Output.note("frozen: " + TerminalText.escaped(freeze.reason)) }
        switch format {
        case .json: Output.result(try json(report))
        case .table:
            guard !report.items.isEmpty else {
                Output.note("No leaks found.")
                return
            }
            Output.result(TerminalText.table(LeakText.rows(of: report, now: .now)))
        }
    }
}

struct AdoptLeak: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "adopt", abstract: "Make a suspended record for a site.",
        discussion: "The record has the site's image, settings and tags. Its command is not known: apply a manifest.")

    @Argument(help: ArgumentHelp("Name of the site.", valueName: "site"))
    var site: String

    @OptionGroup var hostOptions: HostOptions

    func run() async throws {
        let record = try await hostOptions.client().adoptLeak(site)
        Output.result("functionapp/\(record.metadata.name) adopted, suspended\n")
    }
}

struct DeleteLeak: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Delete a site now.",
        discussion: "Shows what is deleted and asks; a site that has a record is refused.")

    @Argument(help: ArgumentHelp("Name of the site.", valueName: "site"))
    var site: String

    @Flag(help: "Do not ask.")
    var yes = false

    @OptionGroup var hostOptions: HostOptions

    func run() async throws {
        let client = try hostOptions.client()
        let known = try await client.leaks().items.first { $0.name == site && $0.kind == .site }
        let state = known.map { "\($0.state.rawValue.lowercased()), seen for \(age($0))" } ?? "not seen by a sweep yet"
        Output.note("site \(TerminalText.escaped(site)) (\(state)) and its share are deleted")
        try Confirmation.ask(isGiven: yes)
        try await client.deleteLeak(site)
        Output.result("site/\(site) deleted\n")
    }

    private func age(_ leak: LeakReport.Leak) -> String { RecordTable.age(Instant.now - leak.firstSeenAt) }
}

/// A yes to what was shown.
enum Confirmation {
    /// Asks on a terminal; elsewhere `--yes` is needed.
    static func ask(isGiven: Bool) throws {
        if isGiven { return }
        guard isatty(0) == 1, isatty(2) == 1 else {
            throw ValidationError("nothing was done: --yes is needed where nobody can be asked")
        }
        FileHandle.standardError.write(Data("Do it? [y/N] ".utf8))
        guard let answer = readLine(), ["y", "yes"].contains(answer.lowercased()) else {
            Output.note("nothing was done")
            throw ExitCode(1)
        }
    }
}

func json(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(value), as: UTF8.self) + "\n"
}
