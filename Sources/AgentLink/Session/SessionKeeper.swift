import AgentProtocol

/// Keeps one session connected for as long as somebody uses it.
struct SessionKeeper: Sendable {
    let session: AgentSession
    let settings: AgentSessions.Settings
    let clock: any Clock<Duration>

    /// How often a connection may end before a word was heard over it, one after another.
    private static let mostSilentConnections = 8

    /// Dials whenever the session needs a connection.
    ///
    /// - Returns: why the session is to end; nil if nobody needs it any more.
    func keepDialing(_ dialer: SessionDialer) async -> SessionError? {
        var silent = 0
        while true {
            let dialed: Result<SessionSocket, SessionError>? = await within(settings.givesUpAfter) {
                await connect(dialer)
            }
            switch dialed {
            case .success(let socket):
                guard session.attach(socket) else {
                    socket.close()
                    return nil
                }
            case .failure(let error): return error
            case nil: return SessionError(.unreachable, "it could not be reached for \(settings.givesUpAfter)")
            }
            switch await standingAtEnd() {
            case .lost(wasHeard: true): silent = 0
            case .lost(wasHeard: false): silent += 1
            case .used, .idle, .over: return nil
            }
            if session.endIfUnneeded() { return nil }
            if silent >= Self.mostSilentConnections {
                return SessionError(.unreachable, "its connections end as soon as they are made")
            }
            if silent > 0, await !pause(silent - 1) { return nil }
        }
    }

    /// Waits for the agent's own connections.
    func awaitCalls() async -> SessionError? {
        while true {
            let standing = await within(settings.givesUpAfter) {
                let standing = await session.standing(otherThan: .lost(wasHeard: true))
                guard case .lost = standing else { return standing }
                return await session.standing(otherThan: standing)
            }
            switch standing {
            case nil, .lost?: return SessionError(.unreachable, "it did not call for \(settings.givesUpAfter)")
            case .over?: return nil
            case .used?, .idle?: break
            }
            var now = standing
            while now == .used || now == .idle { now = await session.standing(otherThan: now) }
            if now == .over || session.endIfUnneeded() { return nil }
        }
    }

    /// Dials until it works; nil if it is cancelled.
    private func connect(_ dialer: SessionDialer) async -> Result<SessionSocket, SessionError>? {
        var attempt = 0
        while true {
            do throws(SessionDialer.Failure) {
                return .success(try await dialer.dial(session.endpoint, boot: session.boot))
            } catch {
                switch error {
                case .otherBoot: return .failure(SessionError(.otherBoot))
                case .noSessions: return .failure(SessionError(.unavailable, "its agent is of an older version"))
                case .invalidAddress: return .failure(SessionError(.unreachable, "the site's address is no URL"))
                case .failed: break
                }
            }
            guard await pause(attempt) else { return nil }
            attempt += 1
        }
    }

    /// Waits until the connection is lost, or was idle for long enough, and then ends the session.
    private func standingAtEnd() async -> AgentSession.Standing {
        var standing = await session.standing(otherThan: nil)
        while true {
            switch standing {
            case .lost, .over: return standing
            case .used: standing = await session.standing(otherThan: .used)
            case .idle:
                let next = await within(settings.keepsIdleFor) { await session.standing(otherThan: .idle) }
                if next == nil, session.endIfUnneeded() { return .over }
                standing = await session.standing(otherThan: nil)
            }
        }
    }

    /// False if it was cancelled.
    private func pause(_ attempt: Int) async -> Bool {
        let pause = min(settings.shortestPause * (1 << min(attempt, 16)), settings.longestPause)
        do { try await clock.sleep(for: pause) } catch { return false }
        return true
    }

    /// What `body` gives; nil when it takes longer.
    private func within<Value: Sendable>(
        _ limit: Duration, _ body: @escaping @Sendable () async -> Value?
    ) async -> Value? {
        await withTaskGroup(of: Value?.self) { group in
            group.addTask { await body() }
            group.addTask {
                // It throws only when it is cancelled, and then the other one has ended.
                try? await clock.sleep(for: limit)
                return nil
            }
            defer { group.cancelAll() }
            return await group.next() ?? nil
        }
    }
}
