package import AgentProtocol

/// Where and how to speak to one site's agent.
package struct AgentEndpoint: Sendable {
    /// `https://host[:port]`, `http://host[:port]` or `http+unix://%2Fpath%2Fto.sock`: what to connect to. Without a
    /// slash at its end.
    package var baseURL: String
    /// The `Host` header when that differs from the address to connect to; nil to take it from `baseURL`.
    package var hostHeader: String?
    package var secret: AgentSecret

    package init(baseURL: String, hostHeader: String? = nil, secret: AgentSecret) {
        self.baseURL = baseURL
        self.hostHeader = hostHeader
        self.secret = secret
    }
}

/// An agent that has proved itself.
package struct AgentHello: Sendable, Equatable {
    package let boot: BootID
    package let version: String

    package init(boot: BootID, version: String) {
        self.boot = boot
        self.version = version
    }
}
