import FoundationEssentials

/// An HTTP proxy.
package struct ProxyServer: Sendable, Hashable, CustomStringConvertible {
    package let host: String
    package let port: Int
    /// `user:password`, both decoded.
    let credentials: Secret?

    package var description: String { "\(host.contains(":") ? "[\(host)]" : host):\(port)" }
}

/// Which requests go through a proxy, as the environment says. Pure.
///
/// `https_proxy` and `http_proxy` by the scheme of the request, `all_proxy` for both, `no_proxy` for the exceptions;
/// of two spellings the lower-case one wins (as in curl, man page "ENVIRONMENT", read 2026-11).
package struct ProxyRules: Sendable, Hashable {
    private var byScheme: [String: ProxyServer] = [:]
    private var isBypassedByAll = false
    private var exceptions: [ProxyException] = []

    /// No proxy at all.
    package init() {}

    /// Adds what is wrong in the variables to `faults`.
    package init(environment: [String: String], faults: inout [String]) {
        func variable(_ name: String) -> (name: String, text: String)? {
            for spelling in [name, name.uppercased()] {
                guard let text = environment[spelling], !text.isEmpty else { continue }
                return (spelling, text)
            }
            return nil
        }
        for scheme in ["http", "https"] {
            guard let (name, text) = variable("\(scheme)_proxy") ?? variable("all_proxy") else { continue }
            if let server = Self.server(text) {
                byScheme[scheme] = server
            } else {
                let fault = "\(name) is not the address of an HTTP proxy, http://[user:password@]host[:port]"
                if !faults.contains(fault) { faults.append(fault) }
            }
        }
        for part in (variable("no_proxy")?.text ?? "").split(whereSeparator: { $0 == "," || $0.isWhitespace }) {
            if part == "*" {
                isBypassedByAll = true
            } else if let exception = ProxyException(String(part)) {
                exceptions.append(exception)
            } else {
                faults.append("no_proxy has a part that is neither a host nor a network: \(part)")
            }
        }
    }

    /// Every proxy that a URL can lead to.
    var servers: Set<ProxyServer> { Set(byScheme.values) }

    /// The proxy for a URL, nil if it is reached directly. Loopback and link-local addresses, where the platform's
    /// identity endpoints are, always are: a proxy would ask its own machine.
    package func proxy(for url: String) -> ProxyServer? {
        guard let service = Self.origin(url), let server = byScheme[service.scheme], !isBypassedByAll else {
            return nil
        }
        let host = HostAddress(service.host)
        if host.isLoopback || host.isLinkLocal { return nil }
        return exceptions.contains { $0.covers(host, port: service.port) } ? nil : server
    }

    private static func origin(_ url: String) -> (scheme: String, host: String, port: Int)? {
        guard let parts = URLComponents(string: url), let scheme = parts.scheme?.lowercased(), let host = parts.host
        else { return nil }
        return (scheme, host, parts.port ?? (scheme == "https" ? 443 : 80))
    }

    /// Nil for what is no plain HTTP proxy: SOCKS and TLS to the proxy itself are not supported.
    private static func server(_ text: String) -> ProxyServer? {
        let parts = URLComponents(string: text.contains("://") ? text : "http://\(text)")
        guard let parts, parts.scheme?.lowercased() == "http", var host = parts.host?.lowercased(), !host.isEmpty,
            parts.query == nil, parts.fragment == nil, ["", "/"].contains(parts.percentEncodedPath),
            (1...65535).contains(parts.port ?? 80)
        else { return nil }
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        let credentials = parts.user.map { Secret("\($0):\(parts.password ?? "")") }
        return ProxyServer(host: host, port: parts.port ?? 80, credentials: credentials)
    }
}

/// One part of `no_proxy`: a host with its subdomains, an address or a network, each perhaps for one port only.
struct ProxyException: Sendable, Hashable {
    private enum Target: Sendable, Hashable {
        case domain(String)
        case network([UInt8], prefixBits: Int)
    }

    private let target: Target
    private let port: Int?

    /// Nil for what is none. A dot in front of a name is ignored, as curl does.
    init?(_ text: String) {
        if let slash = text.lastIndex(of: "/") {
            guard case .ip(let bytes) = HostAddress(String(text[..<slash])),
                let bits = Int(text[text.index(after: slash)...]), (0...bytes.count * 8).contains(bits)
            else { return nil }
            (target, port) = (.network(bytes, prefixBits: bits), nil)
            return
        }
        var host = text
        var port: Int?
        // Only one colon, or one behind a bracket, is in front of a port: others belong to an IPv6 address.
        if let colon = text.lastIndex(of: ":"),
            text.firstIndex(of: ":") == colon || text[..<colon].hasSuffix("]")
        {
            guard let number = Int(text[text.index(after: colon)...]), (1...65535).contains(number) else { return nil }
            port = number
            host = String(text[..<colon])
        }
        switch HostAddress(host.hasPrefix(".") ? String(host.dropFirst()) : host) {
        case .ip(let bytes): target = .network(bytes, prefixBits: bytes.count * 8)
        case .name(let name):
            guard !name.isEmpty, !name.contains("/"), !name.contains(":"), !name.contains("*") else { return nil }
            target = .domain(name)
        }
        self.port = port
    }

    func covers(_ host: HostAddress, port: Int) -> Bool {
        if let own = self.port, own != port { return false }
        switch (target, host) {
        case (.domain(let domain), .name(let name)): return name == domain || name.hasSuffix(".\(domain)")
        case (.network(let network, let bits), .ip(let address)):
            guard network.count == address.count else { return false }
            return (0..<bits).allSatisfy { bit in
                (network[bit / 8] ^ address[bit / 8]) & (0x80 >> UInt8(bit % 8)) == 0
            }
        default: return false
        }
    }
}
