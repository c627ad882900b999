package import AsyncHTTPClient
import NIOCore
import NIOHTTP1
package import NIOSSL

/// How this machine reaches others: through which proxies, and whom it trusts beside the system's authorities.
package struct HTTPSettings: Sendable {
    package var proxies = ProxyRules()
    /// Added to the roots of the system.
    package var authorities: [NIOSSLCertificate] = []

    package init() {}

    /// Reads the proxy variables, and the files of certificates (PEM) that `SSL_CERT_FILE` and `SKLS_CA_FILE` name,
    /// several separated by colons. Adds what is wrong to `faults`.
    package init(environment: [String: String], faults: inout [String]) {
        proxies = ProxyRules(environment: environment, faults: &faults)
        for name in ["SSL_CERT_FILE", "SKLS_CA_FILE"] {
            for path in (environment[name] ?? "").split(separator: ":").map(String.init) {
                do {
                    authorities += try NIOSSLCertificate.fromPEMFile(path)
                } catch {
                    faults.append("\(name): there are no certificates in \(path)")
                }
            }
        }
    }
}

extension HTTPSettings {
    /// TLS 1.2 and above, to servers of the system's authorities and ours.
    package var tls: TLSConfiguration {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        if !authorities.isEmpty { tls.additionalTrustRoots = [.certificates(authorities)] }
        return tls
    }

    /// Sets up a client that talks to one address only, such as that of all sites.
    package func apply(to configuration: inout HTTPClient.Configuration, reaching url: String) {
        configuration.tlsConfiguration = tls
        configuration.proxy = proxies.proxy(for: url)?.clientSetting
    }
}

/// The HTTP clients set up for Azure: one for direct connections and one for each proxy.
///
/// A failed connection attempt fails its calls at once: the client's own retries wait 100 ms and more, and hide
/// from the caller that nothing was sent. HTTP/1.1 only, because one slow call must not hold up others on a shared
/// connection. Redirects are not followed: a token must not travel to another host. TLS 1.2 and above.
package struct HTTPClients: Sendable {
    private let rules: ProxyRules
    private let direct: HTTPClient
    private let proxied: [ProxyServer: HTTPClient]

    /// The caller shuts them down after the last call.
    package init(_ settings: HTTPSettings = HTTPSettings()) {
        rules = settings.proxies
        let configuration = Self.configuration(settings)
        func client(_ configuration: HTTPClient.Configuration) -> HTTPClient {
            HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        }
        direct = client(configuration)
        proxied = rules.servers.reduce(into: [:]) { clients, server in
            var configuration = configuration
            configuration.proxy = server.clientSetting
            clients[server] = client(configuration)
        }
    }

    /// The client that a request goes by.
    func client(for request: AzureRequest) -> HTTPClient {
        request.bypassesProxy ? direct : rules.proxy(for: request.url).flatMap { proxied[$0] } ?? direct
    }

    /// - Throws: the first failure, after every client was told to end.
    package func shutdown() async throws {
        var failure: (any Error)?
        for client in [direct] + proxied.values {
            do { try await client.shutdown() } catch { failure = failure ?? error }
        }
        if let failure { throw failure }
    }

    private static func configuration(_ settings: HTTPSettings) -> HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration()
        configuration.tlsConfiguration = settings.tls
        configuration.httpVersion = .http1Only
        configuration.redirectConfiguration = .disallow
        configuration.timeout = .init(connect: .seconds(10))
        // Below the four minutes after which Azure's load balancers drop idle connections silently (Azure docs,
        // "Load Balancer TCP Reset and Idle Timeout", read 2026-02), so that we close first.
        configuration.connectionPool.idleTimeout = .seconds(50)
        configuration.connectionPool.retryConnectionEstablishment = false
        // Calls that block for tens of seconds (site writes) need connections of their own: 10 writes per second of 45 s
        // are 450, and reads must not stand behind them.
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 576
        return configuration
    }
}

extension ProxyServer {
    /// The value of `Proxy-Authorization`; nil if the proxy wants none.
    package var authorization: String? {
        credentials.map { "Basic " + Base64.encoded(Array($0.reveal().utf8)) }
    }

    fileprivate var clientSetting: HTTPClient.Configuration.Proxy {
        .server(
            host: host, port: port,
            authorization: credentials.map { .basic(credentials: Base64.encoded(Array($0.reveal().utf8))) })
    }
}
