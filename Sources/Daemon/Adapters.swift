import APIServer
import AgentLink
import AgentProtocol
import AzureClient
import Controller
import DesiredState
import Logging
import NIOCore

/// Live input to open runs, straight through to their agents.
struct AgentRunInput: RunInput {
    let store: any RecordStore
    let agents: AgentClient
    let directory: AgentDirectory

    func sendInput(
        uid: UID, token: String, offset: UInt64, bytes: ByteBuffer, endOfInput: Bool
    ) async throws(RunInputError) {
        let run = try await openRun(uid, token)
        try await translating { () async throws(AgentError) in
            try await agents.sendInput(
                run.endpoint, boot: run.boot, token: run.token, offset: offset, bytes: bytes, endOfInput: endOfInput)
        }
    }

    func signal(uid: UID, token: String, signal: String) async throws(RunInputError) {
        let run = try await openRun(uid, token)
        try await translating { () async throws(AgentError) in
            try await agents.signal(run.endpoint, boot: run.boot, token: run.token, signal: signal)
        }
    }

    func resize(uid: UID, token: String, to size: TerminalSize) async throws(RunInputError) {
        let run = try await openRun(uid, token)
        try await translating { () async throws(AgentError) in
            try await agents.resize(run.endpoint, boot: run.boot, token: run.token, size: size)
        }
    }

    private func openRun(_ uid: UID, _ token: String) async throws(RunInputError) -> OpenRun {
        let stored: StoredRecord?
        do throws(StoreError) {
            stored = try await store.load(uid)
        } catch {
            throw RunInputError(.unreachable, error.description)
        }
        guard let stored, let attempt = stored.attempts.last, attempt.isOpen, attempt.token == token,
            let site = stored.record.status.site, let boot = BootID(attempt.bootID), let runToken = RunToken(token),
            let endpoint = directory.endpoint(of: uid, hostName: site.hostName)
        else { throw RunInputError(.notRunning) }
        return OpenRun(endpoint: endpoint, boot: boot, token: runToken)
    }

    private func translating(_ body: () async throws(AgentError) -> Void) async throws(RunInputError) {
        do throws(AgentError) {
            try await body()
        } catch {
            throw RunInputError(error)
        }
    }

    private struct OpenRun {
        let endpoint: AgentEndpoint
        let boot: BootID
        let token: RunToken
    }
}

extension RunInputError {
    fileprivate init(_ error: AgentError) {
        switch error.code {
        case .ended, .unknownToken, .bootChanged, .stopping: self.init(.notRunning)
        case .inputGap(let expected): self.init(.gap(expected: expected))
        case .invalidRequest(let why): self.init(.invalidSignal, why)
        case .cancelled: self.init(.cancelled)
        case .unreachable, .notReady, .notProved, .busy, .invalidReply, .timedOut, .storage, .logSealed, .logRemoved:
            self.init(.unreachable, error.description)
        }
    }
}

/// Looks images up in the configured registry.
struct RegistryImageResolver: ImageResolver {
    private let registry: RegistryClient?

    init(settings: AzureSettings, transport: AzureTransport) throws {
        registry = try settings.registry.map { RegistryClient(endpoint: try ServiceURL($0), transport: transport) }
    }

    func resolve(_ reference: ImageReference) async throws(ImageResolverError) -> ImageResolution {
        guard let registry else { return .unchecked }
        var generator = SystemRandomNumberGenerator()
        do throws(AzureError) {
            let digest = try await registry.resolve(
                repository: reference.path, reference: reference.digest ?? reference.tag ?? "latest",
                correlationID: CorrelationID(GUID.random(using: &generator)))
            return digest.map { .found(digest: $0.rawValue) } ?? .notFound
        } catch {
            if error.code == .unauthorized { return .notFound }  // registries do not tell a private image from none
            throw ImageResolverError(error.description)
        }
    }
}

/// Checks credentials with the configured registry, and with no other.
struct ConfiguredRegistryLogin: RegistryLogin {
    private let endpoint: ServiceURL
    private let registry: RegistryClient

    /// `nil` when none is configured.
    init?(settings: AzureSettings, transport: AzureTransport) throws {
        guard let text = settings.registry else { return nil }
        endpoint = try ServiceURL(text)
        registry = RegistryClient(endpoint: endpoint, transport: transport)
    }

    func check(_ credentials: RegistryCredentials) async throws(ImageResolverError) -> RegistryLoginVerdict {
        guard isConfigured(credentials.server) else { return .otherRegistry(configured: "\(endpoint)") }
        var generator = SystemRandomNumberGenerator()
        do throws(AzureError) {
            let isAccepted = try await registry.accepts(
                user: credentials.user, password: Secret(credentials.password),
                correlationID: CorrelationID(GUID.random(using: &generator)))
            return isAccepted ? .accepted : .refused
        } catch {
            throw ImageResolverError(error.description)
        }
    }

    /// Clients write a host, a host with a port, or an address.
    private func isConfigured(_ server: String) -> Bool {
        let address = server.contains("://") ? server : "\(endpoint.scheme)://\(server)"
        // A text that is no address is not the registry's.
        guard let asked = try? ServiceURL(address) else { return false }
        return (asked.host, asked.port) == (endpoint.host, endpoint.port)
    }
}

/// Ready once the sites were seen: before that the controller decides nothing about them.
struct ControllerReadiness: ReadinessCheck {
    let controller: ControllerService

    func failures() -> [String] {
        controller.hasObservedAzure ? [] : ["the sites in Azure were not seen yet"]
    }
}
