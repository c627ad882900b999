import Glibc

/// A TCP address to listen on, and what it takes to be let in there.
package struct TCPListener: Hashable, Sendable {
    /// Files of PEM.
    package struct TLSFiles: Hashable, Sendable {
        /// The server's certificate, with those between it and its root.
        package var certificate: String
        package var key: String
        /// Who signs clients' certificates. With it a certificate is demanded of every client, and what it says of the client is not looked at.
        package var clientAuthority: String?

        package init(certificate: String, key: String, clientAuthority: String? = nil) {
            self.certificate = certificate
            self.key = key
            self.clientAuthority = clientAuthority
        }
    }

    /// An IP address, or `localhost`.
    package var host: String
    /// 0 = any that is free.
    package var port: Int
    package var tls: TLSFiles?
    /// A file with a bearer token on each line.
    package var tokenFile: String?

    package init(host: String, port: Int, tls: TLSFiles? = nil, tokenFile: String? = nil) {
        self.host = host
        self.port = port
        self.tls = tls
        self.tokenFile = tokenFile
    }

    /// Of `tcp://HOST:PORT`, or `HOST:PORT`; an empty host is 127.0.0.1. `nil` for everything else.
    package init?(_ text: some StringProtocol) {
        let rest = text.hasPrefix("tcp://") ? text.dropFirst("tcp://".count) : text[...]
        guard let colon = rest.lastIndex(of: ":"), let port = Int(rest[rest.index(after: colon)...]),
            (0...65_535).contains(port)
        else { return nil }
        var host = String(rest[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        if host.isEmpty { host = "127.0.0.1" }
        guard host == "localhost" || TCPListener.isAddress(host) else { return nil }
        self.init(host: host, port: port)
    }

    /// Only this machine can connect.
    package var isLoopback: Bool {
        host == "localhost" || host == "::1" || host.hasPrefix("127.") && TCPListener.isAddress(host)
    }

    /// Every client proves who it is.
    package var isProtected: Bool { tls?.clientAuthority != nil || tokenFile != nil }

    /// Why it may not be opened; `nil` = it may. Whoever can connect without proof can do everything, and a token in plain text is everybody's.
    package var refusal: String? {
        guard !isLoopback else { return nil }
        guard isProtected else {
            return
                "\(host):\(port) can be reached from other machines, and who connects may do everything. Demand certificates of clients (--tlsverify with --tlscacert, --tlscert and --tlskey) or tokens over TLS (--token-file with --tlscert and --tlskey), or listen on 127.0.0.1"
        }
        guard tls != nil else {
            return
                "tokens would cross the network to \(host):\(port) in plain text: add TLS (--tlscert and --tlskey), or listen on 127.0.0.1"
        }
        return nil
    }

    private static func isAddress(_ text: String) -> Bool {
        var four = in_addr()
        var six = in6_addr()
        return inet_pton(AF_INET, text, &four) == 1 || inet_pton(AF_INET6, text, &six) == 1
    }
}

/// Why the daemon does not listen as it was told to. The message is for the user.
package struct AccessError: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String
}
