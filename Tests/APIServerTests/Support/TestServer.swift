import AgentLink
import DesiredState
import Foundation
import Logging
import NIOConcurrencyHelpers
import ServiceLifecycle
import SystemPackage

@testable import APIServer

/// The real server on a socket in a fresh directory, over the real store, with a fake controller behind it. Gone when `with` returns.
struct TestServer: Sendable {
    let directory: String
    let socketPath: String
    let store: SQLiteStore
    let output: OutputStore
    let controller: FakeController
    let readiness: FakeReadiness
    let leaks: FakeLeaks
    let previewer: FakePreviewer
    /// Of the TCP listeners, in the order of their configuration.
    let ports: [Int]
    let log: LogLines
    /// Ends when the server has.
    let stopped: AsyncStream<Never>
    private let services: ServiceGroup

    static func with(
        limits: APIServerConfiguration.Limits = .init(), images: any ImageResolver = FakeRegistry(),
        sessions: any ContainerSessions = NoSessions(), archive: (any LogArchive)? = nil,
        policy: APIServerConfiguration.SessionPolicy = .asProvided, login: (any RegistryLogin)? = nil,
        group: String? = nil,
        tcp: @Sendable (String) throws -> [TCPListener] = { _ in [] },
        logLevel: Logger.Level = .error,
        _ body: @Sendable (TestServer) async throws -> Void
    ) async throws {
        let directory = try TestDirectory()
        defer { directory.remove() }
        try await with(
            directory, limits: limits, images: images, sessions: sessions, archive: archive, policy: policy,
            login: login, group: group,
            tcp: tcp, logLevel: logLevel, body)
    }

    /// On what an earlier server has left in the directory.
    static func with(
        _ directory: TestDirectory, limits: APIServerConfiguration.Limits = .init(),
        images: any ImageResolver = FakeRegistry(), sessions: any ContainerSessions = NoSessions(),
        archive: (any LogArchive)? = nil, policy: APIServerConfiguration.SessionPolicy = .asProvided,
        login: (any RegistryLogin)? = nil,
        group: String? = nil, tcp: @Sendable (String) throws -> [TCPListener] = { _ in [] },
        logLevel: Logger.Level = .error, _ body: @Sendable (TestServer) async throws -> Void
    ) async throws {
        var generator = SystemRandomNumberGenerator()
        let store = try SQLiteStore(path: directory.path + "/state.sqlite", generator: &generator)
        let output = try OutputStore(directory: FilePath(directory.path + "/outputs"))
        let controller = FakeController(store: store, output: output)
        let readiness = FakeReadiness()
        let leaks = FakeLeaks()
        let previewer = FakePreviewer()
        var configuration = APIServerConfiguration(socketPath: directory.path + "/s", version: "0.1.0")
        configuration.limits = limits
        configuration.sessions = policy
        configuration.socketGroup = group
        configuration.tcp = try tcp(directory.path)
        let log = LogLines()
        var logger = Logger(label: "test") { _ in log }
        logger.logLevel = logLevel
        let ports = NIOLockedValueBox<[Int]>([])
        let (whenListening, listening) = AsyncStream.makeStream(of: Never.self)
        let server = APIServer(
            configuration: configuration, store: store, output: output, runInput: controller, images: images,
            readiness: readiness, leaks: leaks, sessions: sessions, archive: archive, registryLogin: login,
            previewer: previewer,
            clock: { Instant.now },
            logger: logger,
            onListening: { listening.finish() }, onListeningTCP: { port in ports.withLockedValue { $0.append(port) } })
        let services = ServiceGroup(services: [server], logger: logger)
        let (stopped, stopping) = AsyncStream.makeStream(of: Never.self)
        let refusal = NIOLockedValueBox<(any Error)?>(nil)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { stopping.finish() }
                // A server that cannot begin is not waited for.
                defer { listening.finish() }
                do {
                    try await services.run()
                } catch let error as AccessError {
                    refusal.withLockedValue { $0 = error }
                } catch let error as ListeningSocketError {
                    refusal.withLockedValue { $0 = error }
                }
            }
            group.addTask { try await controller.run() }
            for await _ in whenListening {}
            let it = TestServer(
                directory: directory.path, socketPath: configuration.socketPath, store: store, output: output,
                controller: controller, readiness: readiness, leaks: leaks, previewer: previewer,
                ports: ports.withLockedValue { $0 }, log: log, stopped: stopped, services: services)
            // Why the server did not begin.
            if let refusal = refusal.withLockedValue({ $0 }) { throw refusal }
            try await body(it)
            group.cancelAll()
            // What a cancelled service ends with is not what is tested.
            while let result = await group.nextResult() { _ = result }
        }
    }

    /// Begins the graceful shutdown.
    func shutDown() async {
        await services.triggerGracefulShutdown()
    }

    var host: String { "unix://" + socketPath }

    func record(_ reference: String) async throws -> FunctionApp? {
        guard case .found(let record) = try await store.find(reference: reference) else { return nil }
        return record
    }
}

/// A directory of the test's own, with a short path: sockets' paths are bounded.
struct TestDirectory: Sendable {
    let path: String

    init() throws {
        var template = Array("/tmp/skls-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Errno(rawValue: errno) }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    func remove() {
        // A directory that stays behind fails no test.
        try? FileManager.default.removeItem(atPath: path)
    }
}

final class FakeReadiness: ReadinessCheck {
    private let sentences = NIOLockedValueBox<[String]>([])
    func failures() -> [String] { sentences.withLockedValue { $0 } }
    func set(_ failures: [String]) { sentences.withLockedValue { $0 = failures } }
}

/// Has `alpine` and `busybox` with the tag `latest`.
struct FakeRegistry: ImageResolver {
    static let digest = "sha256:" + String(repeating: "ab", count: 32)

    func resolve(_ reference: ImageReference) async throws(ImageResolverError) -> ImageResolution {
        guard ["library/alpine", "library/busybox"].contains(reference.path) else { return .notFound }
        return reference.tag == "latest" ? .found(digest: FakeRegistry.digest) : .manifestNotFound
    }
}

extension Instant {
    static var now: Instant {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }
}

extension UID {
    /// A uid that ends with the number.
    static func test(_ number: Int) -> UID {
        let digits = String(number, radix: 16)
        guard let uid = UID(String(repeating: "0", count: 64 - digits.count) + digits) else {
            preconditionFailure("64 digits are a uid")
        }
        return uid
    }
}
