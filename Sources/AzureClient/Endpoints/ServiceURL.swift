import FoundationEssentials

/// The address of a service: scheme, host, port and perhaps a path in front of everything the service offers.
package struct ServiceURL: Sendable, Hashable, CustomStringConvertible {
    /// `http` or `https`.
    package let scheme: String
    /// In lower case; an IPv6 address without brackets.
    package let host: String
    /// The port, filled in from the scheme where the text named none.
    package let port: Int
    /// Empty, or a path that starts with a slash and does not end with one.
    package let pathPrefix: String

    /// - Throws: `invalid` unless the text is an absolute http or https URL without user, query and fragment.
    package init(_ text: String) throws(AzureError) {
        guard let parts = URLComponents(string: text), let origin = Self.origin(of: parts),
            parts.query == nil, parts.fragment == nil
        else {
            // What stands in front of an at sign can be a password.
            throw AzureError(
                code: .invalid, operation: .configure, resource: text.contains("@") ? "an address with a user" : text,
                message: "not an absolute http or https address without user, query and fragment")
        }
        (scheme, host, port) = origin
        pathPrefix =
            parts.percentEncodedPath.hasSuffix("/")
            ? String(parts.percentEncodedPath.dropLast()) : parts.percentEncodedPath
    }

    /// A published service, by its host name in lower case.
    init(httpsHost: String) {
        (scheme, host, port, pathPrefix) = ("https", httpsHost, 443, "")
    }

    private static func origin(of parts: URLComponents) -> (String, String, Int)? {
        guard let scheme = parts.scheme?.lowercased(), scheme == "http" || scheme == "https",
            var host = parts.host?.lowercased(), !host.isEmpty, parts.user == nil, parts.password == nil
        else { return nil }
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        let port = parts.port ?? (scheme == "https" ? 443 : 80)
        guard (1...65535).contains(port) else { return nil }
        return (scheme, host, port)
    }

    package var description: String {
        let shownHost = host.contains(":") ? "[\(host)]" : host
        let shownPort = port == (scheme == "https" ? 443 : 80) ? "" : ":\(port)"
        return "\(scheme)://\(shownHost)\(shownPort)\(pathPrefix)"
    }

    /// Whether what is sent here stays on this machine.
    package var isLoopback: Bool { HostAddress(host).isLoopback }

    /// A URL of this service. The path must be escaped already; the query is escaped here.
    func url(escapedPath: String, query: [(name: String, value: String)] = []) -> String {
        description + escapedPath + (query.isEmpty ? "" : "?" + PercentEncoding.form(query))
    }

    /// Whether an absolute link leads back to this very service, so that our token may be sent along.
    func owns(_ link: String) -> Bool {
        guard let parts = URLComponents(string: link), let origin = Self.origin(of: parts) else { return false }
        return origin == (scheme, host, port)
    }
}
