package import DesiredState

/// An explanation as a page for people. Pure; values are made safe for a terminal.
package enum ExplanationText {
    package static func page(_ explanation: Explanation) -> String {
        var page = TerminalText.escaped("\(explanation.name): \(explanation.summary)") + "\n"
        if let advice = explanation.advice { page += TerminalText.escaped("to do: \(advice)") + "\n" }
        page += "\n" + section(state(explanation))
        page += titled("Facts", explanation.facts.map { [$0.name, $0.value] })
        page += titled(
            "Calls under way",
            explanation.openCalls.map { call in
                [call.call, call.since.map { "for \(age(explanation.asOf - $0))" } ?? turn(call, explanation)]
            })
        page += titled("Back-off", explanation.backoffs.map { backoff($0, explanation) })
        page += titled(
            "Conditions",
            explanation.conditions.map { condition in
                [
                    condition.type.rawValue, condition.status.rawValue, condition.reason,
                    "for \(age(explanation.asOf - condition.lastTransitionTime))", shortened(condition.message),
                ]
            })
        page += titled("Budget of all records", explanation.budgets.map { budget($0, explanation) })
        page += titled("Journal", explanation.journal.map { entry($0, explanation) })
        return page
    }

    /// A table of events, the newest last.
    package static func table(_ events: EventList, now: Instant) -> String {
        TerminalText.table(
            [["LAST SEEN", "TYPE", "REASON", "COUNT", "MESSAGE"]]
                + events.items.map { event in
                    [
                        RecordTable.age(now - event.lastTimestamp), event.type, event.reason, "\(event.count)",
                        event.message,
                    ]
                })
    }

    private static func state(_ explanation: Explanation) -> [[String]] {
        // What failed last stands below, among the back-offs.
        let reason = explanation.reason.split(separator: "; last try: ", maxSplits: 1).first.map(String.init) ?? ""
        var rows = [["rule", "\(explanation.rule): \(reason)"]]
        let isNew = explanation.observedGeneration < explanation.generation
        rows.append([
            "generation",
            "\(explanation.generation)" + (isNew ? ", of which \(explanation.observedGeneration) was looked at" : ""),
        ])
        let look = explanation.reconcileID == 0 ? "none yet" : "reconcile \(explanation.reconcileID)"
        rows.append(["last look", "\(look); now \(explanation.phase.rawValue.lowercased())"])
        rows.append([
            "next look",
            explanation.nextLook.map { "in \(age($0 - explanation.asOf)), at \($0.rfc3339(fractionDigits: 0))" }
                ?? "when something changes",
        ])
        if let intent = explanation.intent {
            let state = intent.isSettled ? "settled" : "outcome not known yet"
            rows.append([
                "intent", "\(intent.kind) \(intent.siteName), \(age(explanation.asOf - intent.openedAt)) ago, \(state)",
            ])
            if let operation = intent.operation { rows.append(["operation", operation]) }
        }
        return rows
    }

    private static func turn(_ call: Explanation.OpenCall, _ explanation: Explanation) -> String {
        guard let wait = call.wait else { return "waits for its turn" }
        let time = wait.turnAt.map { " about \(age($0 - explanation.asOf))" } ?? ""
        let scarce =
            switch wait.scarcity {
            case .quota: "Azure's quota of \(wait.quota)"
            case .plan: "room on its plan"
            case .callsUnderWay: "others to end"
            }
        return "not sent; waits\(time) for \(scarce), \(wait.ahead) before it, lane \(wait.lane)"
    }

    private static func backoff(_ backoff: Explanation.Backoff, _ explanation: Explanation) -> [String] {
        let wait = backoff.notBefore - explanation.asOf
        return [
            backoff.call, backoff.count == 1 ? "1 time" : "\(backoff.count) times",
            wait > .zero ? "not before \(age(wait)) from now" : "may be tried now", backoff.message,
        ]
    }

    private static func budget(_ budget: Explanation.Budget, _ explanation: Explanation) -> [String] {
        [
            budget.name, budget.isUnlimited ? "no limit" : "\(budget.remaining) of \(budget.burst) left",
            "\(budget.waiting) waiting",
            budget.frozenUntil.map { "frozen for \(age($0 - explanation.asOf))" } ?? "not frozen",
        ]
    }

    private static func entry(_ entry: JournalEntry, _ explanation: Explanation) -> [String] {
        [
            age(explanation.asOf - entry.at) + " ago",
            entry.kind == .event ? "event" : entry.durationMilliseconds.map { "\($0) ms" } ?? "",
            (entry.isWarning ? "! " : "") + entry.name + (entry.count > 1 ? " ×\(entry.count)" : ""),
            entry.correlationID ?? "-", shortened(entry.message),
        ]
    }

    /// Nothing where there are no rows.
    private static func titled(_ title: String, _ rows: [[String]]) -> String {
        rows.isEmpty ? "" : "\n\(title)\n" + section(rows)
    }

    private static func section(_ rows: [[String]]) -> String {
        TerminalText.table(rows).split(separator: "\n").map { line in
            var line = "  " + line
            while line.last == " " { line.removeLast() }
            return line + "\n"
        }.joined()
    }

    /// The whole text stands among the back-offs, and in JSON.
    private static func shortened(_ text: String) -> String {
        text.count <= 100 ? text : text.prefix(99) + "…"
    }

    private static func age(_ duration: Duration) -> String { RecordTable.age(duration) }
}

extension Explanation.Budget {
    /// A stand-in for Azure holds nothing back.
    fileprivate var isUnlimited: Bool { burst >= 1_000_000_000 }
}
