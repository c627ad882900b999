import AsyncHTTPClient
import Glibc
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix

/// The way to the HTTP server in a container: its socket, held by a descriptor.
///
/// The socket lies in a folder that the container can write to, so its path proves nothing: a container could put a
/// link to a socket of the machine there. The descriptor is of the socket itself, and connecting goes through it. It
/// also keeps the way open when the container removes all of its files.
final class AgentConnection: Sendable {
    let client: HTTPClient
    /// Of the socket's inode; nothing is read or written through it.
    private let socket: Int32
    /// Connections that left HTTP; nil when there are to be no more.
    private let raw = NIOLockedValueBox<[ObjectIdentifier: any Channel]?>([:])
    private let base: String

    /// Nil while there is no socket at `path`.
    init?(socketPath path: String) {
        let onlyPath: Int32 = 0o10000000  // O_PATH, which Swift does not see
        let descriptor = open(path, onlyPath | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else {
            close(descriptor)
            return nil
        }
        socket = descriptor
        base = "http+unix://%2Fproc%2Fself%2Ffd%2F\(descriptor)"
        client = HTTPClient(
            eventLoopGroupProvider: .shared(MultiThreadedEventLoopGroup.singleton), configuration: Self.configuration)
    }

    private static var configuration: HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow, timeout: .init(connect: .seconds(10)), decompression: .disabled)
        // A front end passes on as many requests as come in; it does not queue them.
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 10_000
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.httpVersion = .http1Only
        return configuration
    }

    /// A request to the container for a path with query, percent-encoded as it came in.
    func request(_ target: String) -> HTTPClientRequest { HTTPClientRequest(url: base + target) }

    /// A connection of its own, for what does not stay with HTTP. Made on `loop`; closed when the container is gone.
    /// - Throws: also when it is gone already.
    func connect<Output: Sendable>(
        on loop: any EventLoop, setUp: @escaping @Sendable (any Channel) -> EventLoopFuture<Output>
    ) async throws -> Output {
        // A descriptor of its own: the number of ours may be another file's as soon as the container is gone.
        let copy = raw.withLockedValue { $0 == nil ? -1 : fcntl(socket, F_DUPFD_CLOEXEC, 0) }
        guard copy >= 0 else { throw ChannelError.ioOnClosedChannel }
        defer { close(copy) }
        return try await ClientBootstrap(group: loop).channelOption(.allowRemoteHalfClosure, value: true)
            .connectTimeout(.seconds(10))
            .connect(unixDomainSocketPath: "/proc/self/fd/\(copy)") { channel in
                self.keep(channel)
                return setUp(channel)
            }
    }

    private func keep(_ channel: any Channel) {
        let id = ObjectIdentifier(channel)
        let isKept = raw.withLockedValue { raw in
            raw?[id] = channel
            return raw != nil
        }
        guard isKept else { return channel.close(promise: nil) }
        channel.closeFuture.whenComplete { _ in self.raw.withLockedValue { _ = $0?.removeValue(forKey: id) } }
    }

    /// The platform's ping: any HTTP status says that the container is ready.
    func isReady(path: String, host: String) async -> Bool {
        var request = request(path)
        request.headers.add(name: "Host", value: host)
        request.headers.add(name: "User-Agent", value: "HealthCheck/1.0")
        do {
            let response = try await client.execute(request, timeout: .seconds(10))
            // What the page says does not matter, but reading it keeps the connection for the first request.
            for try await _ in response.body {}
            return true
        } catch {
            return false
        }
    }

    /// Ends what is under way and closes the socket. Errors of requests that end so go to their callers.
    func end() async {
        do { try await client.shutdown() } catch {}  // the only error is of shutting down twice
        let channels = raw.withLockedValue { raw in
            defer { raw = nil }
            close(socket)
            return raw ?? [:]
        }
        for channel in channels.values { channel.close(promise: nil) }
    }
}
