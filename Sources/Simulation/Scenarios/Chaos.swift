import AzureSimulator

/// How likely each misfortune is, per occasion. All zero once nothing shall fail any more.
struct Chaos: Sendable {
    /// A request to Azure is lost before it has an effect, or its reply after.
    var requestLoss = 0.0
    var replyLoss = 0.0
    var crashAtRequest = 0.0
    var crashAtCommit = 0.0
    /// Per job.
    var crashAtAwait = 0.0
    var agentRequestLoss = 0.0
    var agentReplyLoss = 0.0
    var agentLateness = 0.0
    var storeWriteFailure = 0.0
    var storeReadFailure = 0.0
    /// A read or a commit takes seconds: much happens between what was decided and that it is kept.
    var storeSlowness = 0.0
    /// Hints of changes come twice or late, and so out of order.
    var hintTrouble = 0.0
    /// A 429 says nothing of when to come back.
    var retryAfterLoss = 0.0
    // Per round of the wreckers, which come every few seconds.
    var containerEnd = 0.0
    var clockStep = 0.0
    var takeover = 0.0
    var outsider = 0.0
    /// What the World itself does.
    var plan = FaultPlan()

    static let calm = Chaos()

    /// Faults of this simulation that are not the World's.
    static let ownFaults = [
        "request-lost", "reply-lost", "reset", "agent-request-lost", "agent-reply-lost", "agent-late",
        "store-unavailable", "store-slow", "hint-trouble", "no-retry-after", "container-ended", "clock-back",
        "clock-forward", "takeover", "outsider-deletes", "outsider-strips", "outsider-edits", "outsider-sets",
        "outsider-stops",
    ]

    static var faultNames: [String] { ownFaults + FaultKind.allCases.map(\.rawValue) }

    /// Everything now and then.
    static func storm(_ dice: Dice) -> Chaos {
        var chaos = Chaos()
        func level(_ most: Double) -> Double { dice.chance(0.5) ? dice.fraction() * most : 0 }
        chaos.requestLoss = level(0.1)
        chaos.replyLoss = level(0.1)
        chaos.crashAtRequest = level(0.05)
        chaos.crashAtCommit = level(0.08)
        chaos.crashAtAwait = level(0.004)
        chaos.agentRequestLoss = level(0.15)
        chaos.agentReplyLoss = level(0.15)
        chaos.agentLateness = level(0.2)
        chaos.storeWriteFailure = level(0.1)
        chaos.storeReadFailure = level(0.1)
        chaos.storeSlowness = level(0.2)
        chaos.hintTrouble = level(0.5)
        chaos.retryAfterLoss = level(0.5)
        chaos.containerEnd = level(0.1)
        chaos.clockStep = level(0.1)
        chaos.takeover = level(0.05)
        chaos.outsider = level(0.1)
        // A few of the World's faults at a time: with all of them together hardly any request would come through.
        for _ in 0..<dice.int(0...4) {
            let kind = dice.pick(FaultKind.allCases)
            // Its ten minutes each time are long.
            let most = kind == .throttled ? 0.03 : 0.25
            chaos.plan.rules.append(.init(kind, .probability(0.02 + dice.fraction() * most)))
        }
        return chaos
    }
}
