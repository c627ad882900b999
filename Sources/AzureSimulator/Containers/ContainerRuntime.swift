import Glibc
import Logging
import NIOConcurrencyHelpers
import NIOPosix
import Subprocess
import SystemPackage

/// Carries out what the World wants done with containers, and reports to it what becomes of them.
final class ContainerRuntime: Sendable {
    /// Reports an event to the World.
    typealias Report = @Sendable (Event) -> Void

    private let bubblewrap: Bubblewrap
    private let directory: SimulatorDirectory
    private let roots: RootStore
    /// Whether containers have a way out, at the directory's `relay`.
    private let hasRelay: Bool
    private let threads: NIOThreadPool
    private let logger: Logger
    private let containers = NIOLockedValueBox<[InstanceID: Container]>([:])

    /// A container from the order to start it until it is gone.
    private struct Container {
        /// bubblewrap itself, a child of ours.
        var wrapperID: Int32?
        /// The container's first process by the host's numbers.
        var processID: Int32?
        /// Signals that were wanted before there was a process to send them to; the strongest counts.
        var wanted: Int32?
        var connection: AgentConnection?
    }

    init(
        bubblewrap: Bubblewrap, directory: SimulatorDirectory, roots: RootStore, hasRelay: Bool, threads: NIOThreadPool,
        logger: Logger
    ) {
        self.bubblewrap = bubblewrap
        self.directory = directory
        self.roots = roots
        self.hasRelay = hasRelay
        self.threads = threads
        self.logger = logger
    }

    /// The way into a container that was reported ready; nil once it is gone.
    func connection(to instance: InstanceID) -> AgentConnection? {
        containers.withLockedValue { $0[instance]?.connection }
    }

    /// Carries out effects in their order until there are no more, then waits until every container is gone.
    /// Cancellation kills all containers.
    func run(_ effects: AsyncStream<Effect>, report: @escaping Report) async {
        await withDiscardingTaskGroup { timers in
            await withDiscardingTaskGroup { running in
                for await effect in effects {
                    switch effect {
                    case .start(let launch):
                        containers.withLockedValue { $0[launch.instance] = Container() }
                        running.addTask { await self.live(launch, report: report) }
                    case .stop(let instance, let grace):
                        signal(instance, grace > .zero ? SIGTERM : SIGKILL)
                        if grace > .zero {
                            timers.addTask {
                                // A cancelled wait means that the simulator ends: the signal comes at once.
                                do { try await Task.sleep(for: grace) } catch {}
                                self.signal(instance, SIGKILL)
                            }
                        }
                    case .wake(let site, let time):
                        timers.addTask {
                            do { try await Task.sleep(for: time - SystemCalls.wallClock()) } catch { return }
                            report(.woke(site))
                        }
                    case .reply, .replyLater, .reset, .forward, .stream, .output, .streamEnd, .journal: break
                    }
                }
            }
            timers.cancelAll()
        }
    }

    // MARK: One container

    /// The whole life of a container, from the copy of its root to the removal of what is left of it.
    private func live(_ launch: ContainerLaunch, report: @escaping Report) async {
        let runFolder = "\(directory.runs)/\(launch.instance.short)"
        var root: String?
        do {
            let taken = try await roots.take(launch.image)
            root = taken
            try SystemCalls.makeDirectory(runFolder, mode: 0o700, owner: bubblewrap.owner)
            try await execute(launch, root: taken, runFolder: runFolder, report: report)
        } catch {
            logger.error(
                "a container could not be run", metadata: ["site": "\(launch.site)", "error": "\(error)"])
            report(
                .containerWrote(launch.instance, Array("the simulator could not run the container: \(error)\n".utf8)))
        }
        let container = containers.withLockedValue { $0.removeValue(forKey: launch.instance) }
        removeProcessID(of: launch.site, ifIts: container?.processID)
        report(.containerExited(launch.instance))
        await container?.connection?.end()
        await cleanUp(root: root, runFolder: launch.instance.short)
    }

    private func execute(
        _ launch: ContainerLaunch, root: String, runFolder: String, report: @escaping Report
    ) async throws {
        let sandbox = Bubblewrap.Sandbox(
            root: roots.path(of: root), runFolder: runFolder, agent: directory.agent, hostName: launch.instance.short,
            environment: launch.environment + [
                AppSetting(
                    name: "SKLS_AGENT_LISTEN", value: "unix:\(Bubblewrap.runFolder)/\(Bubblewrap.socketName)")
            ]
                + (hasRelay
                    ? [AppSetting(name: "SKLS_AGENT_RELAY", value: "unix:\(EgressRelay.pathInContainer)")] : []),
            relay: hasRelay ? directory.relay : nil)
        let link = try StatusLink()
        defer { link.close() }
        let options = Bubblewrap.environmentOptions(of: sandbox)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await self.awaitReadiness(launch, runFolder: runFolder, report: report) }
            defer { group.cancelAll() }
            _ = try await Subprocess.run(
                bubblewrap.configuration(for: sandbox, command: Bubblewrap.agent),
                input: .fileDescriptor(link.childEnd, closeAfterSpawningProcess: true), output: .sequence,
                error: .combinedWithOutput
            ) { execution in
                found(launch, wrapperID: execution.processIdentifier.value)
                let processID = try await threads.runIfActive {
                    link.send(options)
                    return link.processID()
                }
                if let processID { found(launch, processID: processID) }
                for try await chunk in execution.standardOutput {
                    report(.containerWrote(launch.instance, chunk.withUnsafeBytes { Array($0) }))
                }
            }
        }
    }

    /// Pings the container until it answers. The socket comes within a few milliseconds, so the first looks are close
    /// together; a slow container is looked at every 50 ms.
    private func awaitReadiness(_ launch: ContainerLaunch, runFolder: String, report: @escaping Report) async {
        var pause = Duration.microseconds(500)
        let path = "\(runFolder)/\(Bubblewrap.socketName)"
        while !Task.isCancelled {
            if let connection = AgentConnection(socketPath: path) {
                if await connection.isReady(path: launch.warmUpPath, host: launch.hostName) {
                    let isKept = containers.withLockedValue { containers in
                        containers[launch.instance]?.connection = connection
                        return containers[launch.instance] != nil
                    }
                    if isKept { report(.containerReady(launch.instance)) } else { await connection.end() }
                    break
                }
                await connection.end()
            }
            do { try await Task.sleep(for: pause) } catch { return }
            pause = min(pause * 1.2, .milliseconds(50))
        }
        do { try await roots.refill(launch.image) } catch is CancellationError {
            // The container was gone before there was time.
        } catch {
            logger.warning("cannot prepare a root", metadata: ["image": "\(launch.image)", "error": "\(error)"])
        }
    }

    private func cleanUp(root: String?, runFolder: String) async {
        do {
            if let root { try await roots.remove(root) }
            try await threads.runIfActive { [runs = directory.runs] in
                if access("\(runs)/\(runFolder)", F_OK) == 0 { try TreeRemover.remove(runFolder, in: runs) }
            }
        } catch {
            logger.warning("cannot remove what a container left", metadata: ["error": "\(error)"])
        }
    }

    // MARK: Processes and signals

    private func found(_ launch: ContainerLaunch, wrapperID: Int32) {
        let wanted = containers.withLockedValue { containers in
            containers[launch.instance]?.wrapperID = wrapperID
            return containers[launch.instance]?.wanted
        }
        if wanted == SIGKILL { signal(launch.instance, SIGKILL) }
    }

    private func found(_ launch: ContainerLaunch, processID: Int32) {
        let wanted = containers.withLockedValue { containers in
            containers[launch.instance]?.processID = processID
            return containers[launch.instance]?.wanted
        }
        writeProcessID(processID, of: launch.site)
        if let wanted { signal(launch.instance, wanted) }
    }

    /// Sends a signal to the container's first process. The kernel ends the rest of the container with it.
    ///
    /// Only while the container is on the list: then bubblewrap is an unreaped child of ours or about to be noticed as
    /// ended, and its child's number cannot have been given away in between. A kill that comes before the process is
    /// known goes to bubblewrap's group, in which its child is.
    private func signal(_ instance: InstanceID, _ number: Int32) {
        containers.withLockedValue { containers in
            guard let container = containers[instance] else { return }
            if let processID = container.processID {
                kill(processID, number)
            } else {
                containers[instance]?.wanted = container.wanted == SIGKILL ? SIGKILL : number
                if number == SIGKILL, let wrapperID = container.wrapperID { kill(-wrapperID, SIGKILL) }
            }
        }
    }

    /// `sites/NAME.pid`, for tests that want to do an agent harm. Renamed into its place, so that no reader finds half.
    private func writeProcessID(_ processID: Int32, of site: String) {
        let path = "\(directory.sites)/\(site.lowercased()).pid"
        let draft = "\(directory.sites)/.\(processID)"
        do {
            let file = try FileDescriptor.open(
                draft, .writeOnly, options: [.create, .truncate, .closeOnExec], permissions: [.ownerReadWrite])
            defer { SystemCalls.close(file) }
            try SystemCalls.write(Array("\(processID)\n".utf8), to: file, path: draft)
            guard rename(draft, path) == 0 else { throw SimulatorError.failed("rename", draft, errno: errno) }
        } catch {
            logger.warning("cannot write a process id", metadata: ["path": "\(path)", "error": "\(error)"])
        }
    }

    /// Removes the file unless it is of a later container of the site.
    private func removeProcessID(of site: String, ifIts processID: Int32?) {
        let path = "\(directory.sites)/\(site.lowercased()).pid"
        guard let processID, let file = try? FileDescriptor.open(path, .readOnly) else { return }  // none was written
        defer { SystemCalls.close(file) }
        var buffer = [UInt8](repeating: 0, count: 32)
        let count = buffer.withUnsafeMutableBytes { read(file.rawValue, $0.baseAddress, $0.count) }
        if count > 0, String(decoding: buffer[..<count], as: UTF8.self) == "\(processID)\n" { unlink(path) }
    }
}
