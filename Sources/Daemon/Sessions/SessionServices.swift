import APIServer
import AgentLink
import AgentProtocol
import AzureClient
import Controller
import DesiredState
import Logging
import NIOSSL

/// The daemon's part in sessions with agents: what keeps them, and what listens for them.
struct SessionServices: Sendable {
    private let sessions: AgentSessions
    private let listener: CallbackListener?
    let containers: any ContainerSessions

    /// Nil where sessions are off.
    ///
    /// - Parameter sites: an address like the sites', by which one proxy is chosen for all of them.
    init?(
        _ choice: SessionChoice, http: HTTPSettings, sites: String, store: any RecordStore, agents: AgentClient,
        directory: AgentDirectory, logger: Logger
    ) throws {
        let tls = try NIOSSLContext(configuration: http.tls)
        switch choice {
        case .off: return nil
        case .forward:
            let proxy = http.proxies.proxy(for: sites).map {
                SessionProxy(host: $0.host, port: $0.port, authorization: $0.authorization)
            }
            sessions = AgentSessions(.forward, tls: tls, proxy: proxy, logger: logger)
            listener = nil
        case .reverse(let callback):
            sessions = AgentSessions(.reverse, tls: tls, logger: logger)
            listener = CallbackListener(settings: try callback.listener, sessions: sessions, logger: logger) { site in
                UID(site).flatMap { directory.secret(of: $0) }
            }
        }
        containers = AgentContainerSessions(store: store, agents: agents, directory: directory, sessions: sessions)
    }

    /// Keeps sessions while `body` runs.
    /// - Throws: what `body` throws, or that the address for callbacks cannot be listened on, which ends `body`.
    func whileRunning(_ body: @escaping @Sendable () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await sessions.run() }
            if let listener {
                group.addTask { try await listener.run() }
            }
            group.addTask { try await body() }
            defer { group.cancelAll() }
            // The others end only when they are cancelled, or fail.
            try await group.next()
        }
    }
}

/// Sessions by record.
struct AgentContainerSessions: ContainerSessions {
    let store: any RecordStore
    let agents: AgentClient
    let directory: AgentDirectory
    let sessions: any SessionAPI

    let isOn = true

    /// An agent that lives is asked at once; a site that is not there yet is not waited for.
    private static let helloTimeout = Duration.seconds(30)

    func open(
        _ task: SessionTask, name: String, uid: UID, boot: BootID?, isKnown: Bool
    ) async throws(SessionError) -> any SessionChannel {
        let stored: StoredRecord?
        do throws(StoreError) {
            stored = try await store.load(uid)
        } catch {
            throw SessionError(.unreachable, error.description)
        }
        guard let site = stored?.record.status.site, let endpoint = directory.endpoint(of: uid, hostName: site.hostName)
        else { throw SessionError(.unavailable, "the container has no site") }
        let living: BootID
        if let boot {
            living = boot
        } else {
            do throws(AgentError) {
                living = try await agents.hello(endpoint, timeout: Self.helloTimeout).boot
            } catch {
                throw SessionError(error.code == .cancelled ? .cancelled : .unreachable, error.description)
            }
        }
        return try await sessions.open(
            task, name: name, endpoint: endpoint, boot: living, offset: 0, isKnown: isKnown)
    }
}
