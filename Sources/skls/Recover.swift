import ArgumentParser
import DesiredState
import RecordsClient

struct Recover: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lead a store that is behind its sites out of the freeze.",
        discussion: """
            Shows what would be done, then asks, then does all of it in one commit. What the lost part of the store did is \
            not known, so nothing that it may have done is done again: such runs end as Unknown, and their records and \
            adopted sites are suspended until they are resumed. Nothing in Azure is changed.

            EXIT CODES
              0  done, or nothing to do
              1  error, such as a plan that has changed meanwhile
              2  wrong usage
            """)

    @Flag(help: "Only show what would be done.")
    var dryRun = false

    @Flag(help: "Do not ask.")
    var yes = false

    @Flag(help: "The store is an older copy, even if no site shows it: after a restore from a backup.")
    var force = false

    @Option(help: ArgumentHelp("Take over the sites of an installation whose store was lost.", valueName: "id"))
    var instance: String?

    @OptionGroup var hostOptions: HostOptions

    func validate() throws {
        guard let instance else { return }
        guard !instance.isEmpty, instance.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber) }) else {
            throw ValidationError("an installation's id has letters and digits, as in the tag skls-instance")
        }
    }

    func run() async throws {
        let client = try hostOptions.client()
        let plan = try await client.recoveryPlan(instance: instance, isForced: force)
        guard !plan.isEmpty else {
            for line in plan.leftAlone { Output.note("left alone: " + TerminalText.escaped(line)) }
            Output.note("The store is not behind its sites: nothing to do.")
            return
        }
        if dryRun {
            Output.result(text(plan))
            return
        }
        Output.note(text(plan).trimmingSuffix("\n"))
        try Confirmation.ask(isGiven: yes)
        let done = try await client.recover(plan, instance: instance, isForced: force)
        Output.result(
            "recovered: \(done.runs.count) runs given up, \(done.suspended.count) records suspended, "
                + "\(done.adopted.count) sites adopted\n")
    }

    private func text(_ plan: RecoveryPlan) -> String {
        LeakText.lines(of: plan).map { TerminalText.escaped($0) + "\n" }.joined()
    }
}

extension String {
    fileprivate func trimmingSuffix(_ suffix: String) -> String {
        hasSuffix(suffix) ? String(dropLast(suffix.count)) : self
    }
}
