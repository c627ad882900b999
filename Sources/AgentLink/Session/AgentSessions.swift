package import AgentProtocol
package import Logging
import NIOConcurrencyHelpers
package import NIOSSL

/// The sessions with all agents: one for each boot, shared by everything that is done in that container.
///
/// ``run()`` keeps them connected; without it nothing opens.
package final class AgentSessions: SessionAPI {
    /// Who makes the connections.
    package enum Direction: Sendable {
        /// The daemon dials the site's address.
        case forward
        /// The agents dial the daemon; see ``CallbackListener``.
        case reverse
    }

    package struct Settings: Sendable {
        /// How long a lost connection is tried to be had again before the session's channels fail.
        package var givesUpAfter = Duration.seconds(60)
        /// How long a connection that the daemon made is kept when nobody uses it.
        package var keepsIdleFor = Duration.seconds(30)
        /// Between two attempts: this, then twice as long each, up to `longestPause`.
        package var shortestPause = Duration.milliseconds(100)
        package var longestPause = Duration.seconds(5)
        /// See ``SessionLimit/pingSeconds``.
        package var pingInterval = Duration.seconds(Int64(SessionLimit.pingSeconds))
        /// From the request to the proof; below the front end's limit of 230 s.
        package var answerTimeout = Duration.seconds(30)

        package init() {}
    }

    /// Sessions at once; a bound against a flood, far above the sites of a subscription that run at a time (ours).
    private static let mostSessions = 4_096

    /// The secret's mark stands for the site: a stranger who learns a boot id gets no other site's session by it.
    private struct Key: Hashable {
        let boot: BootID
        let mark: String

        init(_ secret: AgentSecret, _ boot: BootID) {
            self.boot = boot
            mark =
                RequestSignature(
                    secret: secret, method: "", path: "session", boot: boot, nonce: "",
                    body: UnsafeRawBufferPointer(start: nil, count: 0)
                ).hex
        }
    }

    private struct State {
        var sessions: [Key: AgentSession] = [:]
        var isRunning = false
    }

    let settings: Settings
    private let direction: Direction
    private let dialer: SessionDialer
    private let clock: any Clock<Duration>
    private let logger: Logger
    private let state = NIOLockedValueBox(State())
    private let (begun, beginning) = AsyncStream.makeStream(of: AgentSession.self)

    /// - Parameters:
    ///   - tls: how sites with an `https` address are to be proved.
    ///   - proxy: the way to the sites, if it is not direct.
    package init(
        _ direction: Direction, tls: NIOSSLContext, proxy: SessionProxy? = nil, settings: Settings = Settings(),
        clock: any Clock<Duration> = ContinuousClock(), logger: Logger
    ) {
        self.direction = direction
        self.settings = settings
        self.clock = clock
        self.logger = logger
        dialer = SessionDialer(tls: tls, proxy: proxy, settings: settings)
    }

    /// Keeps sessions connected until the task is cancelled, which ends them all. To be called once.
    package func run() async {
        state.withLockedValue { $0.isRunning = true }
        await withDiscardingTaskGroup { group in
            for await session in begun { group.addTask { await self.keep(session) } }
        }
        let sessions = state.withLockedValue { state in
            state.isRunning = false
            defer { state.sessions = [:] }
            return state.sessions.values
        }
        for session in sessions { session.fail(SessionError(.unavailable, "the daemon ends")) }
    }

    /// Whether ``run()`` has begun and not ended.
    package var isRunning: Bool { state.withLockedValue { $0.isRunning } }

    package func open(
        _ task: SessionTask, name: String, endpoint: AgentEndpoint, boot: BootID, offset: UInt64, isKnown: Bool
    ) async throws(SessionError) -> any SessionChannel {
        guard let name = SessionTaskName(name) else { throw SessionError(.refused, "not a task's name") }
        if case .exec(let request) = task {
            do throws(RunRequestError) {
                try RunRequest(request).validate()
            } catch {
                throw SessionError(.refused, error.description)
            }
        }
        while true {
            let session = try session(of: endpoint, boot: boot)
            if let channel = try await session.open(task, name: name, offset: offset, isKnown: isKnown) {
                return channel
            }
            // It ended at this moment; another one takes its place.
            remove(session)
        }
    }

    /// Takes a connection that an agent made and that has proved itself to be of this secret and boot.
    func accept(_ socket: SessionSocket, endpoint: AgentEndpoint, boot: BootID) {
        while true {
            guard let session = try? session(of: endpoint, boot: boot) else { return socket.close() }  // not running
            if session.attach(socket) { return }
            remove(session)
        }
    }

    private func session(of endpoint: AgentEndpoint, boot: BootID) throws(SessionError) -> AgentSession {
        let key = Key(endpoint.secret, boot)
        let (session, error) = state.withLockedValue { state -> (AgentSession?, SessionError?) in
            if let session = state.sessions[key] { return (session, nil) }
            guard state.isRunning else { return (nil, SessionError(.unavailable, "sessions are not running")) }
            guard state.sessions.count < Self.mostSessions else {
                return (nil, SessionError(.busy, "too many sessions"))
            }
            let session = AgentSession(endpoint: endpoint, boot: boot)
            state.sessions[key] = session
            beginning.yield(session)
            return (session, nil)
        }
        guard let session else { throw error ?? SessionError(.unavailable) }
        return session
    }

    private func remove(_ session: AgentSession) {
        let key = Key(session.endpoint.secret, session.boot)
        state.withLockedValue { state in
            if state.sessions[key] === session { state.sessions[key] = nil }
        }
    }

    private func keep(_ session: AgentSession) async {
        let keeper = SessionKeeper(session: session, settings: settings, clock: clock)
        let error =
            switch direction {
            case .forward: await keeper.keepDialing(dialer)
            case .reverse: await keeper.awaitCalls()
            }
        if let error {
            logger.notice(
                "a session with an agent ended", metadata: ["boot": "\(session.boot)", "reason": "\(error)"])
        }
        session.fail(error ?? SessionError(.unreachable))
        remove(session)
    }
}

/// An HTTP proxy that is asked to connect through (`CONNECT`).
package struct SessionProxy: Sendable {
    package var host: String
    package var port: Int
    /// The value of `Proxy-Authorization`.
    package var authorization: String?

    package init(host: String, port: Int, authorization: String?) {
        self.host = host
        self.port = port
        self.authorization = authorization
    }
}
