import DesiredState

/// The one sentence that answers "why is nothing happening?", and what can be done. Pure.
enum Verdict {
    /// What keeps all records comes first, then what keeps this one, then what it is doing.
    static func of(
        _ explanation: Explanation, plan: Plan, storeFailures: Int
    ) -> (summary: String, advice: String?) {
        standstill(explanation, plan) ?? storeTrouble(explanation, storeFailures) ?? quota(explanation, plan)
            ?? openCall(explanation) ?? failing(explanation, plan) ?? turn(explanation) ?? rest(explanation, plan)
    }

    /// Somebody or something has stopped it.
    private static func standstill(_ explanation: Explanation, _ plan: Plan) -> (String, String?)? {
        // By name, as the record's status keeps it.
        switch plan.rule.rawValue {
        case "frozen":
            (
                "Nothing is written to Azure: \(plan.reason).",
                "skls recover leads out, once it is clear which store is the right one"
            )
        case "suspended", "paused":
            (
                "It is paused: \(explanation.facts.first { $0.name == "pause" }?.value ?? plan.reason).",
                "skls resume \(explanation.name)"
            )
        case "foreignOwner":
            (
                "It is left alone: \(plan.reason).",
                "remove the other site, or delete this record and declare it under another name"
            )
        default: nil
        }
    }

    private static func storeTrouble(_ explanation: Explanation, _ failures: Int) -> (String, String?)? {
        guard failures > 0 else { return nil }
        return (
            "The store cannot be used; it is tried again.",
            "look at the daemon's log, and at the state directory's disk"
        )
    }

    /// Azure's quota is used up for the kind of request that comes next.
    private static func quota(_ explanation: Explanation, _ plan: Plan) -> (String, String?)? {
        let wanted = Set(plan.actions.compactMap(\.call)).union(
            explanation.openCalls.compactMap { CallKind(rawValue: $0.call) }
        ).union(explanation.backoffs.compactMap { $0.isTerminal ? nil : CallKind(rawValue: $0.call) })
        let verbs = Set(wanted.compactMap(\.verb))
        let frozen = explanation.budgets.filter { budget in
            budget.frozenUntil != nil && verbs.contains { budget.name.hasSuffix(" " + $0) }
        }
        guard let budget = frozen.first, let until = budget.frozenUntil else { return nil }
        return (
            "Azure's quota of \(verb(of: budget)) is used up: nothing of that kind is sent for "
                + "\(SpokenTime.duration(until - explanation.asOf)).",
            nil
        )
    }

    private static func verb(of budget: Explanation.Budget) -> String {
        budget.name.split(separator: " ").last.map(String.init) ?? budget.name
    }

    private static func openCall(_ explanation: Explanation) -> (String, String?)? {
        // What changes the site says more than a poll that always is under way, and an answer more than a turn.
        let changing = explanation.openCalls.filter { CallKind(rawValue: $0.call)?.changesSite == true }
        let call = changing.first ?? explanation.openCalls.first { $0.wait == nil } ?? explanation.openCalls.first
        guard let call, let kind = CallKind(rawValue: call.call) else { return nil }
        if let wait = call.wait { return (waiting(kind, wait, explanation), nil) }
        let since = call.since.map { " for \(SpokenTime.duration(explanation.asOf - $0))" } ?? ""
        return ("It waits\(since) for an answer: \(kind.spoken).", nil)
    }

    /// Nothing was sent yet, since others go first.
    private static func waiting(
        _ kind: CallKind, _ wait: Explanation.Wait, _ explanation: Explanation
    ) -> String {
        let time = wait.turnAt.map { ", about \(SpokenTime.duration($0 - explanation.asOf))" } ?? ""
        let limit = wait.limit.map { " (\($0) at a time)" } ?? ""
        let scarce =
            switch wait.scarcity {
            case .quota: "Azure's quota of \(wait.quota)"
            case .plan: "the plan's room for writes\(limit)"
            case .callsUnderWay: "one of the calls under way to end\(limit)"
            }
        let others =
            switch wait.ahead {
            case 0: "next in turn"
            case 1: "after 1 other"
            default: "after \(wait.ahead) others"
            }
        return "It waits for its turn\(time): \(kind.spoken) waits for \(scarce), \(others)."
    }

    private static func failing(_ explanation: Explanation, _ plan: Plan) -> (String, String?)? {
        let waiting = explanation.backoffs.filter { $0.notBefore > explanation.asOf }
        let refused = waiting.first { $0.isTerminal }
        if refused == nil, plan.status.isTrue(.stalled) {
            return ("It cannot go on: \(cause(plan)).", "change the record, or what the message names in Azure")
        }
        guard let first = refused ?? waiting.min(by: { $0.notBefore < $1.notBefore }),
            let kind = CallKind(rawValue: first.call)
        else { return nil }
        let wait = SpokenTime.duration(first.notBefore - explanation.asOf)
        guard first.isTerminal else {
            let failures = first.count == 1 ? "has failed" : "has failed \(first.count) times"
            return ("It backs off: \(kind.spoken) \(failures), and is tried again in \(wait).", nil)
        }
        return (
            "It cannot go on: \(kind.spoken) was refused, and is only tried again now and then (next in \(wait)).",
            "change the record or Azure as the message says: \(first.message)"
        )
    }

    /// The reason without what failed last.
    private static func cause(_ plan: Plan) -> String {
        plan.reason.split(separator: "; last try: ", maxSplits: 1).first.map(String.init) ?? plan.reason
    }

    private static func turn(_ explanation: Explanation) -> (String, String?)? {
        switch explanation.phase {
        case .queued: ("It waits for its turn behind other records.", nil)
        case .loading, .committing: ("It is being looked at this moment.", nil)
        case .unknown: ("The controller has not heard of it yet.", nil)
        case .resting: nil
        }
    }

    private static func rest(_ explanation: Explanation, _ plan: Plan) -> (String, String?) {
        if plan.status.isTrue(.stalled) {
            return ("It cannot go on: \(cause(plan)).", "change the record, or what the message names in Azure")
        }
        let wait = explanation.nextLook.map { SpokenTime.duration($0 - explanation.asOf) }
        if plan.rule == .steady {
            let look = wait.map { " It is looked at again in \($0)." } ?? ""
            return ("Nothing is to be done: \(steadiness(plan)).\(look)", nil)
        }
        if let wait { return ("\(sentence(cause(plan))); next look in \(wait).", nil) }
        return ("\(sentence(cause(plan))).", nil)
    }

    /// A record is steady, too, while its site differs in what is only to be told.
    private static func steadiness(_ plan: Plan) -> String {
        guard let drifted = plan.status[.drifted], drifted.status != .false, !drifted.message.isEmpty else {
            return "Azure is as declared"
        }
        return drifted.message
    }

    private static func sentence(_ text: String) -> String {
        text.prefix(1).uppercased() + text.dropFirst()
    }
}

extension CallKind {
    /// For a sentence.
    fileprivate var spoken: String {
        switch self {
        case .putSite: "writing the site"
        case .followOperation: "asking how far Azure is"
        case .readSite: "reading the site"
        case .deleteSite: "deleting the site"
        case .readContainerLog: "reading the container's log"
        case .greetAgent: "asking the agent in the container whether it is up"
        case .postRun: "asking the agent to begin the run"
        case .followRun: "following the run"
        case .stopRun: "stopping the run"
        case .readDetails: "reading the site in full"
        case .releaseSite: "taking our tags off the site"
        case .readRunLog: "asking the log for the run"
        }
    }

    /// The class of requests at Azure Resource Manager; `nil` for agents.
    fileprivate var verb: String? {
        switch self {
        case .putSite, .releaseSite: "writes"
        case .followOperation, .readSite, .readDetails, .readContainerLog: "reads"
        case .deleteSite: "deletes"
        default: nil
        }
    }
}
