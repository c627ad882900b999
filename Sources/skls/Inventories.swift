import ArgumentParser
import DesiredState
import RecordsClient

struct Inventories: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the inventories of apply --inventory.",
        discussion: """
            Without a name a line for each inventory, with a name a line for each of its records. A record stands in its \
            inventories until its Function App was seen gone.
            """)

    @Argument(help: ArgumentHelp("Name of an inventory.", valueName: "name"))
    var name: String?

    enum Format: String, ExpressibleByArgument, CaseIterable {
        case table, json
    }

    @Option(name: [.customShort("o"), .customLong("format"), .customLong("output")], help: "How to print them.")
    var format: Format = .table

    @OptionGroup var hostOptions: HostOptions

    func run() async throws {
        let client = try hostOptions.client()
        guard let name else {
            let inventories = try await client.inventories()
            guard format == .table else { return Output.result(try JSONText.pretty(inventories)) }
            guard !inventories.isEmpty else { return Output.note("No inventories found.") }
            let rows = inventories.map { inventory in
                [
                    inventory.name, "\(inventory.entries.count { !$0.isBeingDeleted })",
                    "\(inventory.entries.count { $0.isBeingDeleted })",
                ]
            }
            return Output.result(TerminalText.table([["NAME", "RECORDS", "DELETING"]] + rows))
        }
        let inventory = try await client.inventory(name)
        guard format == .table else { return Output.result(try JSONText.pretty(inventory)) }
        guard !inventory.entries.isEmpty else { return Output.note("No records in the inventory \(name).") }
        let rows = inventory.entries.map { entry in
            [
                entry.name.text, entry.isBeingDeleted ? "Deleting" : "Listed",
                entry.alsoIn.isEmpty ? "-" : entry.alsoIn.joined(separator: ","),
            ]
        }
        Output.result(TerminalText.table([["NAME", "STATE", "ALSO IN"]] + rows))
    }
}
