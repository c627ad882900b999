import Crypto
import Glibc
import HummingbirdCore
package import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import ServiceLifecycle
import SystemPackage

/// Azure on loopback, with containers that really run.
///
/// A `Service`: `run` ends on graceful shutdown, when every container has been stopped (SIGTERM, and SIGKILL after the
/// platform's limit), or when its task is cancelled, which kills them. A simulator that is killed takes its containers
/// with it.
package final class AzureSimulator: Service {
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
        let owner = FileOwner.forContainers
        var bases = ["busybox": try await BaseRoot.busybox(configuration.busybox)]
        for (name, folder) in configuration.imageRoots { bases[name] = try BaseRoot.folder(folder) }
        try copyAgent(to: directory.agent)
        let roots = RootStore(bases: bases, directory: directory.roots, owner: owner, threads: threads)
        try await probe(roots, directory: directory)
        try await roots.refill("busybox")

        let executions = try Journal(path: directory.executions, logger: logger)
        let requests = try Journal(path: directory.requests, logger: logger)
        let simulation = Simulation(settings: worldSettings(), now: SystemCalls.wallClock) { execution, time in
            executions.append([
                "time": .string(time.iso8601), "site": .string(execution.site), "token": .string(execution.token),
                "boot": .string(execution.boot),
            ])
        }
        let runtime = ContainerRuntime(
            bubblewrap: bubblewrap, directory: directory, roots: roots, threads: threads, logger: logger)
        let watch = DisconnectWatch()
        let responder = SimulatorServer(
            simulation: simulation,
            proxy: SiteProxy(
                simulation: simulation, runtime: runtime, watch: watch, responseLimit: configuration.responseLimit),
            requests: requests, logger: logger)
        try await run(responder, runtime: runtime, simulation: simulation, watch: watch, directory: directory)
    }

    /// Server and runtime side by side; the end of either is the end of both.
    private func run(
        _ responder: SimulatorServer, runtime: ContainerRuntime, simulation: Simulation, watch: DisconnectWatch,
        directory: SimulatorDirectory
    ) async throws {
        let server = Server(
            childChannelSetup: DeferredHTTPChannel(
                base: HTTP1Channel(
                    responder: { request, writer, channel in
                        try await responder.respond(to: request, writer: writer, channel: channel)
                    }, configuration: .init(additionalChannelHandlers: [watch.makeHandler()]))),
            configuration: ServerConfiguration(address: .hostname("127.0.0.1", port: configuration.port)),
            onServerRunning: { [onReady] channel in
                let port = channel.localAddress?.port ?? 0
                await onReady(
                    SimulatorAddress(url: "http://127.0.0.1:\(port)", port: port, directory: directory.path))
            }, eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                // Containers stop first, so that long polls end; the server then has no request to wait for.
                try await withGracefulShutdownHandler {
                    try await server.run()
                } onGracefulShutdown: {
                    simulation.shutDown()
                }
                simulation.shutDown()
            }
            group.addTask { await runtime.run(simulation.effects) { simulation.report($0) } }
            try await group.waitForAll()
        }
    }

    // MARK: Preparation

    /// Containers get a copy of the agent: the user that runs them may not see the original, and a rebuild must not
    /// change what a running simulator starts.
    private func copyAgent(to path: String) throws(SimulatorError) {
        unlink(path)
        let source = BaseRoot.Content.path(configuration.agentExecutable)
        try BaseRoot.copyFile(source, to: path, mode: 0o755)
    }

    private func probe(_ roots: RootStore, directory: SimulatorDirectory) async throws {
        let root = try await roots.take("busybox")
        let runFolder = "\(directory.runs)/probe"
        try SystemCalls.makeDirectory(runFolder, mode: 0o700, owner: bubblewrap.owner)
        try await bubblewrap.probe(root: roots.path(of: root), runFolder: runFolder, agent: directory.agent)
        try await roots.remove(root)
        try TreeRemover.remove("probe", in: directory.runs)
    }

    private func worldSettings() -> WorldSettings {
        var generator = SystemRandomNumberGenerator()
        var images = ["docker.io/library/alpine": "busybox", "docker.io/library/busybox": "busybox"]
        for name in configuration.imageRoots.keys {
            guard let reference = ImageReference(name) else { continue }  // refused by init
            images["\(reference.registry)/\(reference.repository)"] = name
        }
        return WorldSettings(
            tenantID: configuration.tenantID, clientID: configuration.clientID,
            clientSecret: configuration.clientSecret, subscriptionID: configuration.subscriptionID,
            resourceGroups: [configuration.resourceGroup] + configuration.otherResourceGroups,
            location: configuration.location, planName: configuration.planName, images: images,
            pageSize: configuration.pageSize, web: configuration.web,
            tokenKey: SymmetricKey(size: .bits256),
            seed: configuration.seed ?? UInt64.random(in: 0...UInt64.max, using: &generator))
    }

    private static func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}
