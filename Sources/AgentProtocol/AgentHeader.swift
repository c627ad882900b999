/// Names of the protocol's header fields. Front ends may change the case of names, never of values.
package enum AgentHeader {
    /// Request: 32 fresh hex digits.
    package static let nonce = "skls-nonce"
    /// Request: the boot id that the caller has seen, empty for hello. Reply: the agent's own.
    package static let boot = "skls-boot"
    /// Request: proves that the caller holds the secret.
    package static let signature = "skls-signature"
    /// Of an agent that calls the daemon: whose agent it is, the record's uid.
    package static let site = "skls-site"
    /// Reply: proves that the agent holds it.
    package static let proof = "skls-proof"
    /// Hello: version of the agent.
    package static let version = "skls-version"
    /// 409: why (``AgentConflict``).
    package static let conflict = "skls-conflict"
    /// Answers about stdin: the offset up to which the agent has taken bytes.
    package static let stdinOffset = "skls-stdin-offset"

    package static let state = "skls-state"
    package static let exitCode = "skls-exit-code"
    package static let message = "skls-message"
    package static let reason = "skls-reason"
    package static let startedAt = "skls-started-at"
    package static let finishedAt = "skls-finished-at"
    package static let offset = "skls-offset"
    package static let end = "skls-end"

    /// What every header of ours starts with; a reply's proof covers all of them.
    package static let prefix = "skls-"
}

/// Why an agent refuses to start another run.
package enum AgentConflict: String, Sendable {
    /// Another run is open; or too many requests wait for the same input.
    case busy
    /// The agent was told to end.
    case stopping
}

/// Bounds that both ends rely on.
package enum AgentLimit {
    /// Largest request body. A run request has to hold an argument list and an environment, which Linux bounds
    /// at 6 MiB together (`_STK_LIM / 4 * 3`, fs/exec.c).
    package static let requestBodyBytes = 8 << 20
    /// Largest reply body: what one long poll brings.
    package static let replyBodyBytes = 1 << 20
    /// Largest payload of one output frame: what a Linux pipe holds by default.
    package static let framePayloadBytes = 64 << 10
    /// Longest wait of a request, below the 230 s after which Azure's front end gives up (Azure Functions docs,
    /// functions-scale, "maximum amount of time that an HTTP triggered function can take", read 2026-02).
    package static let waitSeconds = 100
}
