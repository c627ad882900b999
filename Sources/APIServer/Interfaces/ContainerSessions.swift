package import AgentLink
package import AgentProtocol
package import DesiredState

/// Sessions with the agents of containers: what exec, copying and looking into a container go through.
package protocol ContainerSessions: Sendable {
    /// Whether sessions are configured; does not change. Without them every request that needs one is refused early, with an explanation.
    var isOn: Bool { get }

    /// Begins a task in the record's container, or finds one again that this name began, also in an earlier life of the daemon.
    /// Returns when the agent has begun; an agent that cannot be reached ends it with `unreachable` after a bounded time.
    ///
    /// - Parameters:
    ///   - name: 32 to 64 hex digits; see ``SessionAPI``.
    ///   - boot: the life of the container that is meant, as the record's attempts have it; another one gives `otherBoot`. `nil` = the one that
    ///     lives now.
    ///   - isKnown: the name began its task before, so nothing may be begun now: an agent that does not know it gives `unknownTask`. What is left of
    ///     the output comes from where the agent still has it.
    /// - Throws: `unavailable` also for a record that is gone or has no site.
    func open(
        _ task: SessionTask, name: String, uid: UID, boot: BootID?, isKnown: Bool
    ) async throws(SessionError) -> any SessionChannel
}

/// Sessions are off.
package struct NoSessions: ContainerSessions {
    package let isOn = false

    package init() {}

    package func open(
        _ task: SessionTask, name: String, uid: UID, boot: BootID?, isKnown: Bool
    ) async throws(SessionError) -> any SessionChannel {
        throw SessionError(.unavailable, "sessions with agents are off")
    }
}
