import FoundationEssentials
import Glibc
import HummingbirdCore
package import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import NIOSSL
import ServiceLifecycle
import SystemPackage

/// Azure on loopback, with containers that really run.
///
/// A `Service`: `run` ends on graceful shutdown, when every container has been stopped (SIGTERM, and SIGKILL after the
/// platform's limit), or when its task is cancelled, which kills them. A simulator that is killed takes its containers
/// with it.
package final class AzureSimulator: Service {
    /// Beyond this factor, Azure's longest durations leave the range of `Instant`.
    private static let largestLatencyScale = 100_000.0

    private let configuration: SimulatorConfiguration
    private let logger: Logger
    private let onReady: @Sendable (SimulatorAddress) async -> Void
    private let bubblewrap: Bubblewrap

    /// - Parameter onReady: called once, when requests are answered.
    /// - Throws: `bubblewrapMissing`, `agentMissing`, `busyboxMissing`, `imageRootUnreadable`, `configuration`.
    package init(
        configuration: SimulatorConfiguration, logger: Logger,
        onReady: @escaping @Sendable (SimulatorAddress) async -> Void = { _ in }
    ) throws(SimulatorError) {
        self.configuration = configuration
        self.logger = logger
        self.onReady = onReady
        bubblewrap = try Bubblewrap(
            executable: configuration.bubblewrap,
            searchPath: Self.environment("PATH") ?? "/usr/local/bin:/usr/bin:/bin", owner: .forContainers)
        guard access(configuration.agentExecutable, X_OK) == 0 else {
            throw SimulatorError(
                code: .agentMissing,
                message: "there is no agent at \(configuration.agentExecutable): build it with "
                    + "`swift build --product skls-agent`")
        }
        guard access(configuration.busybox, X_OK) == 0 else {
            throw SimulatorError(
                code: .busyboxMissing, message: "there is no \(configuration.busybox): install busybox-static")
        }
        guard (0...Self.largestLatencyScale).contains(configuration.latencyScale) else {
            throw SimulatorError(
                code: .configuration,
                message: "the latency scale is not a number from 0 to \(Int(Self.largestLatencyScale))")
        }
        guard configuration.storageAccount.map(World.isAccountName) ?? true else {
            throw SimulatorError(
                code: .configuration,
                message: "the name of a storage account has 3 to 24 lower-case letters and digits")
        }
        guard !configuration.keepsState || configuration.directory != nil else {
            throw SimulatorError(code: .configuration, message: "state can only be kept in a directory that is named")
        }
        for (name, folder) in configuration.imageRoots {
            guard ImageReference(name) != nil else {
                throw SimulatorError(code: .configuration, message: "'\(name)' is not a name of an image")
            }
            guard access(folder, R_OK | X_OK) == 0 else {
                throw SimulatorError(
                    code: .imageRootUnreadable, message: "cannot read the root of the image \(name) at \(folder)")
            }
        }
    }

    /// Runs the simulator until it is told to end.
    /// - Throws: `SimulatorError`, also `bubblewrapRefused` where the machine lets nobody make a container, and the
    ///   error of a port that cannot be listened on.
    package func run() async throws {
        let directory = try SimulatorDirectory(
            configured: configuration.directory, temporaryFolder: Self.environment("TMPDIR") ?? "/tmp", logger: logger)
        let threads = NIOThreadPool(numberOfThreads: 8)
        threads.start()
        do {
            try await serve(in: directory, threads: threads)
        } catch {
            await end(directory, threads)
            throw error
        }
        await end(directory, threads)
    }

    private func end(_ directory: SimulatorDirectory, _ threads: NIOThreadPool) async {
        directory.end(logger: logger)
        do { try await threads.shutdownGracefully() } catch {
            logger.warning("threads for files did not end", metadata: ["error": "\(error)"])
        }
    }

    private func serve(in directory: SimulatorDirectory, threads: NIOThreadPool) async throws {
        // A key takes a while to find: that goes on beside the preparation of containers.
        async let loadedKeys = SimulatorKeys.load(from: directory)
        let owner = FileOwner.forContainers
        let busybox = try await BaseRoot.busybox(configuration.busybox)
        var bases = ["busybox": busybox, "hello-world": busybox.adding("hello", mode: 0o755, Self.hello)]
        for (name, folder) in configuration.imageRoots { bases[name] = try BaseRoot.folder(folder) }
        try copyAgent(to: directory.agent)
        let roots = RootStore(bases: bases, directory: directory.roots, owner: owner, threads: threads)
        try await probe(roots, directory: directory)
        try await roots.refill("busybox")

        let executions = try Journal(path: directory.executions, logger: logger)
        let requests = try Journal(path: directory.requests, logger: logger)
        let keys = try await loadedKeys
        let stateFile = configuration.keepsState ? StateFile(path: directory.state, logger: logger) : nil
        // Files of shares that nobody knows any more.
        if try stateFile?.read() == nil { try directory.removeShares() }
        try SystemCalls.makeDirectory(directory.shares, mode: 0o711)
        let simulation = try simulation(
            settings: try worldSettings(tokenKey: keys.tokenKey), stateFile: stateFile, executions: executions)
        let runtime = ContainerRuntime(
            bubblewrap: bubblewrap, directory: directory, roots: roots, hasRelay: !configuration.egress.isEmpty,
            threads: threads, logger: logger)
        let watch = DisconnectWatch()
        let responder = SimulatorServer(
            simulation: simulation,
            proxy: SiteProxy(
                simulation: simulation, runtime: runtime, watch: watch, responseLimit: configuration.responseLimit,
                idleLimit: configuration.idleLimit),
            kudu: KuduStream(simulation: simulation, watch: watch, beat: LogFollower.heartbeat), requests: requests,
            logger: logger)
        let context = try keys.authority.serverContext(
            names: ServerNames.names(domain: configuration.domain, location: configuration.location),
            addresses: ServerNames.addresses, now: Date())
        let relay = try await relay(at: directory.relay, owner: owner)
        do {
            try await run(
                responder, tls: context, runtime: runtime, simulation: simulation, stateFile: stateFile,
                directory: directory)
        } catch {
            await relay?.end()
            throw error
        }
        await relay?.end()
    }

    private func relay(at path: String, owner: FileOwner?) async throws -> EgressRelay? {
        if configuration.egress.isEmpty { return nil }
        return try await EgressRelay(
            path: path, owner: owner, targets: configuration.egress, idleLimit: configuration.idleLimit, logger: logger)
    }

    /// - Throws: `state` for a file that holds no state; the file stays as it is.
    private func simulation(
        settings: WorldSettings, stateFile: StateFile?, executions: Journal
    ) throws(SimulatorError) -> Simulation {
        let snapshot = try stateFile?.read()
        do throws(SimulatorError) {
            return try Simulation(settings: settings, snapshot: snapshot, now: SystemCalls.wallClock) {
                execution, time in
                executions.append([
                    "time": .string(time.iso8601), "site": .string(execution.site), "token": .string(execution.token),
                    "boot": .string(execution.boot),
                ])
            }
        } catch {
            guard let stateFile, error.code == .state else { throw error }
            throw SimulatorError(
                code: .state, message: "\(stateFile.path): \(error.message); move the file away to begin anew")
        }
    }

    /// Servers, runtime and state side by side; the end of any is the end of all.
    private func run(
        _ responder: SimulatorServer, tls: NIOSSLContext, runtime: ContainerRuntime, simulation: Simulation,
        stateFile: StateFile?, directory: SimulatorDirectory
    ) async throws {
        var secure = responder
        secure.isSecure = true
        let (ports, portSink) = AsyncStream.makeStream(of: Int.self)
        let secureServer = server(secure, tls: tls, port: configuration.securePort) { port in
            portSink.yield(port)
            portSink.finish()
        }
        let plainServer = server(responder, tls: nil, port: configuration.port) { [onReady] port in
            for await securePort in ports {
                await onReady(
                    SimulatorAddress(
                        url: "http://127.0.0.1:\(port)", port: port, secureURL: "https://127.0.0.1:\(securePort)",
                        authorityFile: directory.authorityCertificate, directory: directory.path))
            }
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                // Containers stop first, so that long polls end; the server then has no request to wait for.
                try await withGracefulShutdownHandler {
                    try await Self.run(plainServer, secureServer)
                } onGracefulShutdown: {
                    simulation.shutDown()
                }
                simulation.shutDown()
            }
            group.addTask { await runtime.run(simulation.effects) { simulation.report($0) } }
            if let stateFile { group.addTask { await stateFile.run(simulation) } }
            try await group.waitForAll()
        }
    }

    /// Both servers, until both have ended; the failure of one cancels the other.
    private static func run(_ first: some Service, _ second: some Service) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await first.run() }
            group.addTask { try await second.run() }
            try await group.waitForAll()
        }
    }

    private func server(
        _ responder: SimulatorServer, tls: NIOSSLContext?, port: Int, onRunning: @escaping @Sendable (Int) async -> Void
    ) -> Server<DeferredHTTPChannel> {
        Server(
            childChannelSetup: DeferredHTTPChannel(
                base: HTTP1Channel(
                    responder: { request, writer, channel in
                        try await responder.respond(to: request, writer: writer, channel: channel)
                    }, configuration: .init(additionalChannelHandlers: [responder.proxy.watch.makeHandler()])), tls: tls
            ),
            configuration: ServerConfiguration(address: .hostname("127.0.0.1", port: port)),
            onServerRunning: { channel in await onRunning(channel.localAddress?.port ?? 0) },
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: logger)
    }

    // MARK: Preparation

    /// Containers get a copy of the agent: the user that runs them may not see the original, and a rebuild must not
    /// change what a running simulator starts.
    private func copyAgent(to path: String) throws(SimulatorError) {
        unlink(path)
        let source = BaseRoot.Content.path(configuration.agentExecutable)
        try BaseRoot.copyFile(source, to: path, mode: 0o755)
    }

    /// What trials of Docker begin with; the real image has a program of this name and nothing else.
    private static let hello = "#!/bin/sh\necho\necho 'Hello from a simulated Azure!'\necho\n"

    private func probe(_ roots: RootStore, directory: SimulatorDirectory) async throws {
        let root = try await roots.take("busybox")
        let runFolder = "\(directory.runs)/probe"
        try SystemCalls.makeDirectory(runFolder, mode: 0o700, owner: bubblewrap.owner)
        try await bubblewrap.probe(root: roots.path(of: root), runFolder: runFolder, agent: directory.agent)
        try await roots.remove(root)
        try TreeRemover.remove("probe", in: directory.runs)
    }

    private func worldSettings(tokenKey: TokenKey) throws(SimulatorError) -> WorldSettings {
        var generator = SystemRandomNumberGenerator()
        var images = [
            "docker.io/library/alpine": "busybox", "docker.io/library/busybox": "busybox",
            "docker.io/library/hello-world": "hello-world",
        ]
        for name in configuration.imageRoots.keys {
            guard let reference = ImageReference(name) else { continue }  // refused by init
            images["\(reference.registry)/\(reference.repository)"] = name
        }
        var settings = WorldSettings(
            tenantID: configuration.tenantID, clientID: configuration.clientID,
            clientSecret: configuration.clientSecret, subscriptionID: configuration.subscriptionID,
            resourceGroups: [configuration.resourceGroup] + configuration.otherResourceGroups,
            location: configuration.location, planName: configuration.planName, images: images,
            tokenKey: tokenKey, seed: configuration.seed ?? UInt64.random(in: 0...UInt64.max, using: &generator))
        settings.domain = configuration.domain
        settings.storageAccounts = configuration.storageAccount.map { [$0] } ?? []
        settings.pageSize = configuration.pageSize
        settings.web = configuration.web
        settings.latencyScale = configuration.latencyScale
        settings.logs = configuration.logs
        settings.faults = configuration.faults
        settings.quota = configuration.quota
        settings.access = configuration.access
        settings.certificates = try configuration.clientCertificates.map { pem throws(SimulatorError) in
            try RegisteredCertificate(pem: pem)
        }
        settings.federation = configuration.federatedCredentials
        settings.identityHeader = configuration.identityHeader
        return settings
    }

    private static func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}
