/// Where a run stands, as an agent tells it.
package enum AgentState: String, Sendable, CaseIterable {
    /// The command runs, or its output is not read to the end. Becomes `exited`, or `failed`.
    case running
    /// Final: the command was executed and ended.
    case exited
    /// Final: the command could not be executed.
    case failed
}

/// Why the agent itself ended a run.
package enum AgentReason: String, Sendable {
    /// The run's own time limit.
    case deadline
}
