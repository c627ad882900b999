/// Where a server listens, or is reached: a unix socket, or a host and port.
package enum ListenAddress: Hashable, Sendable, CustomStringConvertible {
    case unix(String)
    /// The host as it was written, an IPv6 address without its brackets.
    case tcp(host: String, port: Int)

    /// `unix:///path`, `/path`, `tcp://host:port`, `http://host:port`, `host:port` or, as Go's programs take it, `:port`. That means every address of
    /// the machine to them; here it is the loopback one, since who may connect may do everything. `nil` for anything else.
    package init?(_ text: String) {
        if text.hasPrefix("unix://") || text.hasPrefix("/") {
            let path = text.hasPrefix("/") ? text : String(text.dropFirst("unix://".count))
            guard path.hasPrefix("/"), path.count > 1 else { return nil }
            self = .unix(path)
            return
        }
        let scheme = ["tcp://", "http://"].first { text.hasPrefix($0) } ?? ""
        var rest = text.dropFirst(scheme.count)
        if scheme == "http://", rest.hasSuffix("/") { rest.removeLast() }
        guard let colon = rest.lastIndex(of: ":"), let port = Int(rest[rest.index(after: colon)...]),
            (0...65_535).contains(port)
        else { return nil }
        var host = String(rest[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        let allowed = host.utf8.allSatisfy {
            (0x30...0x39).contains($0) || (0x61...0x7a).contains($0 | 0x20) || ".-:_".utf8.contains($0)
        }
        guard allowed else { return nil }
        self = .tcp(host: host.isEmpty ? "127.0.0.1" : host, port: port)
    }

    /// Only this machine gets there.
    package var isLocal: Bool {
        switch self {
        case .unix: true
        case .tcp(let host, _):
            ["localhost", "::1"].contains(host.lowercased())
                || host.wholeMatch(of: /127\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}/) != nil
        }
    }

    package var description: String {
        switch self {
        case .unix(let path): "unix://\(path)"
        case .tcp(let host, let port): host.contains(":") ? "tcp://[\(host)]:\(port)" : "tcp://\(host):\(port)"
        }
    }
}
