package struct APIServerConfiguration: Sendable {
    /// Bounds, each with its reason; the defaults serve every client that was tried.
    package struct Limits: Sendable {
        /// All header fields of a request. Registry credentials travel in headers and take some KiB.
        package var headerBytes = 64 << 10
        package var headerCount = 128
        /// Body of `containers/create`. The largest that clients send hold certificates in the environment, some 100 KiB.
        package var createBytes = 4 << 20
        /// Body of `auth`: names, and tokens of some KiB.
        package var credentialBytes = 64 << 10
        /// Nesting of a JSON body. Docker's own bodies have 6 levels; deep ones would exhaust the parser's stack.
        package var jsonDepth = 64
        /// A connection without a request, or in the middle of one, is closed after so long. A request that is being answered has no limit:
        /// attach, logs, wait and watch last as long as the container.
        package var idleTimeout: Duration = .seconds(120)
        /// A new connection on which nothing comes is closed after so long; the TLS handshake is part of it.
        package var firstByteTimeout: Duration = .seconds(30)
        /// From a request's first byte to the end of its head. Clients send it in one piece; this is for the slowest of networks.
        package var headTimeout: Duration = .seconds(10)
        /// From a request's head to the end of its body, also when it was answered before; archives have the idle time-out alone.
        /// The largest, 4 MiB, needs 35 KB/s for that.
        package var bodyTimeout: Duration = .seconds(120)
        /// Connections at one time; each `docker run` holds three. More would use up the process's file descriptors, and are closed at once.
        package var connections = 4096
        /// Of these, on TCP: the rest is for the unix socket's users.
        package var tcpConnections = 1024
        /// How long `rm` waits for the site to be gone.
        package var removeWait: Duration = .seconds(30)
        /// How long `stop` waits beyond the grace period, for the result to come back.
        package var stopMargin: Duration = .seconds(30)
        /// How long copying into or out of a container that was just created waits for its site.
        package var siteWait: Duration = .seconds(120)
        /// Between two signs of life on a quiet watch.
        package var bookmarkInterval: Duration = .seconds(30)

        package init() {}
    }

    /// At most 100 bytes or so: the kernel takes 107 for a socket's path, and it is made under a longer name first.
    package var socketPath: String
    /// Whose members may connect, by name or number; `nil` = the group of the process.
    package var socketGroup: String?
    /// Where else to listen.
    package var tcp: [TCPListener] = []
    /// Of this software.
    package var version: String
    package var limits = Limits()
    /// What runs of containers are limited to; 0 = nothing. Manifests say it themselves.
    package var runTimeoutSeconds = 600
    /// For callers of the internal API.
    package var provider = ProviderFacts()
    /// Sessions are dialled by the agents, and not by the daemon.
    package var agentsDialBack = false
    package var sessions = SessionPolicy.asProvided

    package enum SessionPolicy: Hashable, Sendable {
        /// What needs a session with an agent is refused where there are none. Attaching reads the output as it is kept, which needs none.
        case asProvided
        /// The contract without sessions: attaching is refused as well, and at the create, since a client that is refused later strands the container.
        case off
    }

    package init(socketPath: String, version: String) {
        self.socketPath = socketPath
        self.version = version
    }
}
