import APIServer
import AgentLink
import AsyncHTTPClient
import AzureClient
package import AzureSimulator
import Controller
import DesiredState
import Foundation
package import Logging
import NIOCore
import ServiceLifecycle
import SystemPackage
import UnixSignals

/// The daemon: puts the parts together and runs them until it is told to stop, or one of them ends.
package struct Daemon: Sendable {
    private let configuration: DaemonConfiguration
    private let logger: Logger

    package init(configuration: DaemonConfiguration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
    }

    /// Until SIGTERM or SIGINT. Throws when something that is needed cannot be had: the message is for the user.
    package func run() async throws {
        let directory = try StateDirectory(path: configuration.stateDirectory)
        var generator = SystemRandomNumberGenerator()
        let store = try SQLiteStore(path: directory.databasePath, generator: &generator)
        if configuration.startsFrozen {
            let freeze = Freeze(since: DaemonCore.clock(), reason: "started with --frozen")
            try await store.commit(Transaction(origin: .user, [.setFreeze(freeze)]))
        }
        let output = try OutputStore(directory: FilePath(directory.outputsPath))
        let core = DaemonCore(
            store: store, output: output, api: try configuration.api,
            boot: UInt64.random(in: 0 ... .max, using: &generator), traces: configuration.traceFile,
            sessions: configuration.sessions, logger: logger)
        switch configuration.azure {
        case .azure(let settings):
            try await serve([CoreService(core: core, settings: { settings }, logger: logger)])
        case .simulator(let chosen):
            let simulatorConfiguration = reachable(chosen)
            let (addresses, continuation) = AsyncStream.makeStream(of: SimulatorAddress.self)
            let simulator = try AzureSimulator(configuration: simulatorConfiguration, logger: logger) { address in
                continuation.yield(address)
                continuation.finish()
            }
            let settings: @Sendable () async throws -> AzureSettings = {
                for await address in addresses {
                    let variables = AzureSettings.environment(of: simulatorConfiguration, at: address)
                    var settings = try AzureSettings(
                        environment: Dictionary(variables.map { ($0.name, $0.value) }) { _, last in last })
                    // Its log ends with the process, as its containers do: what became of an open run is not in it.
                    settings.logWorkspace = nil
                    settings.copiesOutput = false
                    return settings
                }
                throw CancellationError()
            }
            // The simulator comes first, so that it stops last: the controller may still need its answers.
            try await serve([simulator, CoreService(core: core, settings: settings, logger: logger)])
        }
        withExtendedLifetime(directory) {}
    }

    /// Lets the simulator's containers call this daemon; on Azure that is the internet's part.
    private func reachable(_ simulator: SimulatorConfiguration) -> SimulatorConfiguration {
        guard case .reverse(let callback) = configuration.sessions else { return simulator }
        var simulator = simulator
        simulator.egress.append(callback.target)
        return simulator
    }

    private func serve(_ services: [any Service]) async throws {
        try await ServiceGroup.untilSignal(services, logger: logger)
    }
}

/// A simulator on its own, until it is told to stop.
package func runSimulator(
    configuration: SimulatorConfiguration, logger: Logger, onReady: @escaping @Sendable (SimulatorAddress) async -> Void
) async throws {
    let simulator = try AzureSimulator(configuration: configuration, logger: logger, onReady: onReady)
    try await ServiceGroup.untilSignal([simulator], logger: logger)
}

extension ServiceGroup {
    /// Runs services until SIGTERM or SIGINT. The end of one ends the others.
    static func untilSignal(_ services: [any Service], logger: Logger) async throws {
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .error)
        var configuration = ServiceGroupConfiguration(
            services: services.map {
                .init(
                    service: $0, successTerminationBehavior: .gracefullyShutdownGroup,
                    failureTerminationBehavior: .cancelGroup)
            }, gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet)
        // An open attach would keep the process for ever otherwise.
        configuration.maximumGracefulShutdownDuration = .seconds(5)
        configuration.maximumCancellationDuration = .seconds(5)
        do {
            try await ServiceGroup(configuration: configuration).run()
        } catch is CancellationError {
            // What had to be cut off after the time for a graceful shutdown: the signal was obeyed.
        }
    }
}

/// Controller and API server, once it is known where Azure is.
struct CoreService: Service {
    let core: DaemonCore
    let settings: @Sendable () async throws -> AzureSettings
    let logger: Logger

    func run() async throws {
        try await core.run(settings: try await settings())
    }
}

/// What is the same for every kind of Azure.
struct DaemonCore: Sendable {
    let store: SQLiteStore
    let output: OutputStore
    /// Where clients are served.
    let api: APIServerConfiguration
    /// Names this life of the daemon in the sites' writer tag, and seeds its jitter.
    let boot: UInt64
    /// The file for spans; `nil` = none are made.
    var traces: String?
    let sessions: SessionChoice
    let logger: Logger

    static let clock: @Sendable () -> Instant = {
        Instant(nanoseconds: Int64(Date().timeIntervalSince1970 * 1e9))
    }

    func run(settings: AzureSettings) async throws {
        let observability = try Observability(
            store: store, clock: SteadyClock(wall: DaemonCore.clock).now, seed: boot, traces: traces, logger: logger)
        let azureHTTP = HTTPClients(settings.http)
        do {
            let metrics = observability.metrics
            let connection = try await AzureConnection(settings, clients: azureHTTP, logger: logger) { method, status in
                metrics.request(method: method, code: status.map(String.init) ?? "<error>")
            }
            try await run(settings: settings, connection: connection, observability)
            try await azureHTTP.shutdown()
        } catch {
            // The first error is the one worth telling; the clients only have to be shut down.
            try? await azureHTTP.shutdown()
            throw error
        }
    }

    private func run(
        settings: AzureSettings, connection: AzureConnection, _ observability: Observability
    ) async throws {
        let sites = settings.siteAddress ?? "https://site.\(connection.environment.siteSuffix)"
        let agentHTTP = DaemonCore.makeAgentHTTPClient(settings.http, sites: sites)
        do {
            try await run(
                settings: settings, connection: connection, agentHTTP: agentHTTP, sites: sites, observability)
            try await agentHTTP.shutdown()
        } catch {
            // As above.
            try? await agentHTTP.shutdown()
            throw error
        }
    }

    private func run(
        settings asked: AzureSettings, connection: AzureConnection, agentHTTP: HTTPClient, sites: String,
        _ observability: Observability
    ) async throws {
        let settings = try await asked.resolved(by: connection)
        var siteConfiguration = try settings.siteConfiguration
        if case .reverse(let callback) = sessions { siteConfiguration.callback = callback.callback }
        let designer = SiteDesigner(
            configuration: siteConfiguration, instance: store.instance, key: store.key,
            writer: String(boot, radix: 36))
        let agents = AgentClient(httpClient: agentHTTP, logger: logger)
        let directory = AgentDirectory(designer: designer, siteAddress: settings.siteAddress)
        let services = try SessionServices(
            sessions, http: settings.http, sites: sites, store: store, agents: agents, directory: directory,
            logger: logger)
        let client = connection.client
        let budgets: @Sendable () -> [RequestBudget] = { client.budgets() }
        let clock = observability.clock
        let sweeper = SweepService(
            store: store,
            azure: SweptSubscription(
                client: connection.client, account: designer.configuration.contentShareAccount),
            designer: designer, settings: settings.leaks, clock: DaemonCore.clock, logger: logger)
        let controller = ControllerService(
            store: store,
            performer: CallPerformer(
                sites: connection.client, agents: agents, directory: directory, output: output,
                runLog: settings.logWorkspace.flatMap { GUID($0) }.map {
                    RunLogReader(
                        logs: connection.client, workspace: $0, settlesAfter: settings.logSettlesAfter)
                }, clock: clock),
            output: output, designer: designer, seed: boot, rates: CallRates(connection.client.rates),
            budgets: budgets, sweeper: sweeper, clock: clock, logger: logger, observer: observability.observer)
        try await controller.begin()
        let server = APIServer(
            configuration: apiConfiguration(settings), store: store, output: output,
            runInput: AgentRunInput(store: store, agents: agents, directory: directory),
            images: try RegistryImageResolver(settings: settings, transport: connection.transport),
            readiness: ControllerReadiness(controller: controller),
            leaks: LeakAdapter(
                desk: RepairDesk(sweeper: sweeper, output: output) { controller.freezeChanged(nil) }),
            sessions: services?.containers ?? NoSessions(),
            archive: settings.logWorkspace.flatMap { GUID($0) }.map {
                WorkspaceArchive(logs: connection.client, workspace: $0)
            },
            registryLogin: try ConfiguredRegistryLogin(settings: settings, transport: connection.transport),
            explainer: ControllerExplainer(
                store: store, controller: controller, journal: observability.journal, budgets: budgets),
            previewer: ControllerPreviewer(controller: controller, designer: designer),
            metrics: DaemonMetrics(
                metrics: observability.metrics, journal: observability.journal, controller: controller,
                sweeper: sweeper, budgets: budgets),
            clock: DaemonCore.clock, logger: logger)
        try await observability.whileRunning {
            guard let services else { return try await DaemonCore.run(controller, server) }
            try await services.whileRunning { try await DaemonCore.run(controller, server) }
        }
    }

    private static func run(_ controller: ControllerService, _ server: APIServer) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await controller.run() }
            group.addTask { try await server.run() }
            try await group.next()
            // On a graceful shutdown each ends by itself; else the end of one is the end of the other.
            if !Task.isShuttingDownGracefully { group.cancelAll() }
            try await group.waitForAll()
        }
    }

    private func apiConfiguration(_ settings: AzureSettings) -> APIServerConfiguration {
        var configuration = api
        configuration.runTimeoutSeconds = settings.runTimeoutSeconds
        configuration.provider = settings.provider
        return configuration
    }

    /// For agents: each open run holds a long poll, and a simulator has all sites behind one address, so the bound of connections per host is high.
    /// `sites`: an address like theirs, by which one proxy is chosen for all of them.
    private static func makeAgentHTTPClient(_ settings: HTTPSettings, sites: String) -> HTTPClient {
        var configuration = HTTPClient.Configuration()
        settings.apply(to: &configuration, reaching: sites)
        configuration.httpVersion = .http1Only
        configuration.redirectConfiguration = .disallow
        configuration.timeout = .init(connect: .seconds(10))
        configuration.connectionPool.idleTimeout = .seconds(50)
        // Its waits of 100 ms and more would be added to each run whose container is just starting.
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 4096
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }
}

extension DaemonConfiguration {
    fileprivate var api: APIServerConfiguration {
        get throws(ConfigurationFaults) {
            var api = APIServerConfiguration(socketPath: socketPath, version: sklsVersion)
            api.socketGroup = access.socketGroup
            api.tcp = try access.listeners
            switch sessions {
            case .off: api.sessions = .off
            case .forward: break
            case .reverse: api.agentsDialBack = true
            }
            return api
        }
    }
}

extension AzureSettings {
    /// The plan for records that name none.
    var planID: ResourceID? {
        get throws(ConfigurationFaults) {
            guard let plan else { return nil }
            let group = "/subscriptions/\(subscriptionID)/resourceGroups/\(resourceGroup)"
            let text = plan.contains("/") ? plan : "\(group)/providers/Microsoft.Web/serverfarms/\(plan)"
            guard let id = ResourceID(text) else {
                throw ConfigurationFaults(faults: ["SKLS_PLAN is neither a plan's name nor its resource id: \(text)"])
            }
            return id
        }
    }

    fileprivate var siteConfiguration: SiteDesigner.Configuration {
        get throws {
            let group = "/subscriptions/\(subscriptionID)/resourceGroups/\(resourceGroup)"
            var configuration = SiteDesigner.Configuration(
                location: location, defaultPlan: try planID?.description, resourceGroupID: group)
            configuration.copiesOutput = copiesOutput
            try sites.apply(to: &configuration)
            return configuration
        }
    }
}
