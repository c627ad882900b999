import AgentProtocol
import Glibc

/// Where the agent calls for its session, if it is to call at all.
struct CallbackConfiguration: Equatable, Sendable {
    var isSecure: Bool
    /// Without the brackets of an IPv6 address.
    var host: String
    var port: Int
    /// What the listener knows its sessions by: the URL's path, without a slash at its end, and that of sessions.
    var path: String
    /// The site's uid, by which the daemon finds the secret.
    var site: String
    /// A unix socket that speaks `CONNECT`, for a container whose network leads nowhere.
    var relay: String?
    /// Certificates to trust, as PEM; nil for the container's own.
    var authority: String?

    /// Nil without a URL, or without a site: then the URL is not ours.
    init?(variable: (String) -> String?) throws(AgentConfiguration.Failure) {
        guard let url = variable("SOCKERLESS_CALLBACK_URL"), !url.isEmpty, let site = variable("SKLS_AGENT_SITE") else {
            return nil
        }
        guard site.utf8.count == 64, Hex.decode(site) != nil else {
            throw AgentConfiguration.Failure(description: "SKLS_AGENT_SITE is not 64 lower-case hex digits")
        }
        self.site = site
        guard let target = Self.target(url) else {
            throw AgentConfiguration.Failure(
                description: "SOCKERLESS_CALLBACK_URL is none of ws, wss, http and https with a host")
        }
        (isSecure, host, port, path) = target
        if let text = variable("SKLS_AGENT_RELAY"), !text.isEmpty {
            guard text.hasPrefix("unix:/") else {
                throw AgentConfiguration.Failure(description: "SKLS_AGENT_RELAY is not unix:/PATH")
            }
            relay = String(text.dropFirst("unix:".count))
        }
        authority = variable("SKLS_CALLBACK_CA").flatMap { $0.isEmpty ? nil : $0 }
    }

    private static func target(_ url: String) -> (isSecure: Bool, host: String, port: Int, path: String)? {
        guard let range = url.firstRange(of: "://") else { return nil }
        let isSecure: Bool
        switch url[..<range.lowerBound].lowercased() {
        case "ws", "http": isSecure = false
        case "wss", "https": isSecure = true
        default: return nil
        }
        let rest = url[range.upperBound...]
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        var path = rest.dropFirst(authority.count)
        guard path.allSatisfy({ $0.isASCII && !$0.isWhitespace && $0 != "?" && $0 != "#" }) else { return nil }
        while path.last == "/" { path = path.dropLast() }
        var host = authority
        var port = isSecure ? 443 : 80
        if let colon = authority.lastIndex(of: ":"), !authority[colon...].contains("]") {
            guard let number = Int(authority[authority.index(after: colon)...]), (1...65535).contains(number) else {
                return nil
            }
            port = number
            host = authority[..<colon]
        }
        if host.first == "[", host.last == "]" { host = host.dropFirst().dropLast() }
        let isName = host.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-._:".contains($0)) }
        guard !host.isEmpty, isName else { return nil }
        return (isSecure, String(host), port, path + SessionLimit.path)
    }

    /// `host:port` as a request writes it.
    var authorityText: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// The host as an address (4 or 16 bytes), as certificates write it; nil for a name.
    var address: [UInt8]? {
        for (family, count) in [(AF_INET, 4), (AF_INET6, 16)] {
            var bytes = [UInt8](repeating: 0, count: count)
            if inet_pton(family, host, &bytes) == 1 { return bytes }
        }
        return nil
    }
}
