package import AgentProtocol

/// What an agent is told at its start, by environment variables that no command gets to see.
package struct AgentConfiguration: Sendable {
    package enum Address: Equatable, Sendable {
        case unixSocket(path: String)
        /// On all addresses of the container.
        case port(Int)
    }

    package var secret: AgentSecret
    package var address: Address
    /// Bound of one run's spooled output.
    package var spoolBytes: Int
    /// Where to call for a session; nil to wait for the daemon's.
    var callback: CallbackConfiguration?
    /// Whether what commands write is copied to the container's console.
    package var copiesOutput = false

    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    /// - Parameter variable: the value of an environment variable, by name.
    package init(variable: (String) -> String?) throws(Failure) {
        guard let digits = variable("SKLS_AGENT_SECRET") else {
            throw Failure(description: "SKLS_AGENT_SECRET is missing")
        }
        guard let secret = AgentSecret(hex: digits) else {
            throw Failure(description: "SKLS_AGENT_SECRET is not 64 lower-case hex digits")
        }
        self.secret = secret
        address = try Self.address(variable: variable)
        spoolBytes = Self.defaultSpoolBytes
        if let text = variable("SKLS_AGENT_SPOOL_BYTES") {
            guard let bytes = Int(text), bytes >= Self.smallestSpoolBytes else {
                throw Failure(
                    description: "SKLS_AGENT_SPOOL_BYTES is not a number of at least \(Self.smallestSpoolBytes)")
            }
            spoolBytes = bytes
        }
        switch variable("SKLS_AGENT_CONSOLE") {
        case nil, "", "0": break
        case "1": copiesOutput = true
        case let text?: throw Failure(description: "SKLS_AGENT_CONSOLE is neither 0 nor 1: \(text)")
        }
        callback = try CallbackConfiguration(variable: variable)
    }

    private static let defaultSpoolBytes = 64 << 20
    /// Several frames of 64 KiB have to fit, or nothing could be read before it is dropped.
    private static let smallestSpoolBytes = 1 << 20

    private static func address(variable: (String) -> String?) throws(Failure) -> Address {
        let port: String
        if let listen = variable("SKLS_AGENT_LISTEN") {
            if listen.hasPrefix("unix:/") { return .unixSocket(path: String(listen.dropFirst("unix:".count))) }
            guard listen.hasPrefix("tcp:") else {
                throw Failure(description: "SKLS_AGENT_LISTEN is neither unix:/PATH nor tcp:PORT")
            }
            port = String(listen.dropFirst("tcp:".count))
        } else {
            // The port that App Service expects a custom container to listen on (Azure App Service docs,
            // configure-custom-container, "Configure port number", read 2026-02).
            port = variable("WEBSITES_PORT") ?? variable("PORT") ?? "80"
        }
        guard let number = Int(port), (1...65535).contains(number) else {
            throw Failure(description: "\(port) is no port to listen on")
        }
        return .port(number)
    }
}
