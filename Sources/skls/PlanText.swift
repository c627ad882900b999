import DesiredState
import RecordsClient

/// Plans as people read them.
enum PlanText {
    /// A block for each record, then the line that `apply --plan` takes.
    static func text(_ plans: [ApplyPlan]) -> String {
        let digest = PlanDigest(combining: plans.map(\.digest)).map { "plan \($0)\n" } ?? ""
        return plans.map(block).joined() + digest
    }

    private static func block(_ plan: ApplyPlan) -> String {
        var lines = ["functionapp/\(plan.name) \(plan.outcome.rawValue)"]
        for change in plan.changes {
            let path = TerminalText.escaped(change.path)
            switch (change.from.map(TerminalText.escaped), change.to.map(TerminalText.escaped)) {
            case (nil, let to): lines.append("  + \(path): \(to ?? "")")
            case (let from?, nil): lines.append("  - \(path): \(from)")
            case (let from?, let to?): lines.append("  ~ \(path): \(from) -> \(to)")
            }
        }
        if !plan.actions.isEmpty { lines.append("  then, if all goes well:") }
        for (index, action) in plan.actions.enumerated() {
            let fields = action.fields.isEmpty ? "" : ": " + action.fields.joined(separator: ", ")
            lines.append("    \(index + 1). " + TerminalText.escaped(action.text + fields) + "  (\(action.rule))")
        }
        return lines.joined(separator: "\n") + "\n"
    }
}

extension RecordsClient {
    /// In the order of the manifests.
    func plans(_ manifests: [Manifest]) async throws(RecordsClientError) -> [ApplyPlan] {
        var plans: [ApplyPlan] = []
        for manifest in manifests { plans.append(try await plan(manifest)) }
        return plans
    }
}
