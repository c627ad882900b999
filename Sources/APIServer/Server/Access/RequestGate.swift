import HTTPTypes

/// Who may ask for anything on a listener, by the request's head alone. Pure but for the tokens, which can be read anew.
///
/// On the unix socket the file's mode has decided. On TCP a browser on this machine, or one that a web page sends, can connect as well, so what browsers say
/// about themselves is looked at: they name the page that asks (`Origin`, `Sec-Fetch-Site`) and, after a rebinding of its name, the page's host.
enum RequestGate: Sendable {
    case unixSocket
    case tcp(TCPListener, AccessFiles)

    /// `nil` = come in.
    func refusal(of request: HTTPRequest) -> DockerError? {
        if let refusal = RequestGate.malformed(request) { return refusal }
        guard case .tcp(let listener, let files) = self else { return nil }
        if let refusal = RequestGate.crossSite(request) { return refusal }
        // A page cannot know a token, and a certificate's name is not the page's: whoever has either may use any name for this host.
        if !listener.isProtected, !RequestGate.isOwnName(request.authority ?? "", listener) {
            return DockerError(
                .forbidden,
                "the request is for another host (\(RequestLog.safe(request.authority ?? ""))), not for this listener")
        }
        if let tokens = files.tokens, !RequestGate.carriesToken(request, tokens) {
            return DockerError(.unauthorized, "a bearer token is needed: Authorization: Bearer TOKEN")
        }
        return nil
    }

    // MARK: what no client sends

    private static func malformed(_ request: HTTPRequest) -> DockerError? {
        let headers = request.headerFields
        if let coding = headers[.transferEncoding], coding.trimmed.lowercased() != "chunked" {
            return DockerError(.badRequest, "the transfer encoding must be chunked, not \(RequestLog.safe(coding))")
        }
        if headers[.transferEncoding] != nil, headers[.contentLength] != nil {
            return DockerError(.badRequest, "a body has either a length or chunks")
        }
        if let coding = headers[.contentEncoding], !["", "identity"].contains(coding.trimmed.lowercased()) {
            return DockerError(.unsupportedMediaType, "bodies must not be compressed")
        }
        return nil
    }

    // MARK: browsers

    private static func crossSite(_ request: HTTPRequest) -> DockerError? {
        let headers = request.headerFields
        let refusal = DockerError(.forbidden, "requests of web pages from elsewhere are not answered")
        if let site = headers[.secFetchSite] {
            let isReading = request.method == .get || request.method == .head
            // "none": the user typed the address, which asks for nothing but pages.
            guard site == "same-origin" || site == "none" && isReading else { return refusal }
        }
        if let origin = headers[.origin] {
            guard let scheme = origin.firstRange(of: "://"),
                origin[scheme.upperBound...] == request.authority ?? "", !origin[scheme.upperBound...].isEmpty
            else { return refusal }
        }
        return nil
    }

    /// Only names that no other site can have: this machine's loopback, and addresses, which nobody can rebind.
    private static func isOwnName(_ authority: String, _ listener: TCPListener) -> Bool {
        var host = authority[...]
        if host.hasPrefix("[") {
            guard let end = host.firstIndex(of: "]") else { return false }
            host = host[host.index(after: host.startIndex)..<end]
        } else if let colon = host.lastIndex(of: ":") {
            host = host[..<colon]
        }
        return host == "localhost" || host == listener.host
            || TCPListener("\(bracketed(host)):0") != nil && !host.isEmpty
    }

    private static func bracketed(_ host: Substring) -> String { host.contains(":") ? "[\(host)]" : String(host) }

    // MARK: tokens

    private static func carriesToken(_ request: HTTPRequest, _ tokens: AccessTokens) -> Bool {
        guard let value = request.headerFields[.authorization] else { return false }
        let parts = value.split(separator: " ", maxSplits: 1)
        return parts.count == 2 && parts[0].lowercased() == "bearer" && tokens.accept(String(parts[1]).trimmed)
    }
}

extension HTTPField.Name {
    static let secFetchSite = HTTPField.Name("Sec-Fetch-Site", default: .origin)
    static let requestID = HTTPField.Name("X-Request-Id", default: .origin)
}
