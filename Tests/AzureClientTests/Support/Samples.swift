import AsyncHTTPClient
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1

@testable import AzureClient

/// Values that tests share; ids and names are invented.
enum Sample {
    static let subscription = "11111111-2222-3333-4444-555555555555"
    static let correlation = CorrelationID(.testing)

    static func environment(_ url: String = "https://management.example") throws -> AzureEnvironment {
        try AzureEnvironment(resourceManager: url, authority: url)
    }

    static func scope() throws -> AzureScope {
        try AzureScope(subscriptionID: subscription, resourceGroup: "containers")
    }

    static func name(_ text: String = "skls-sample") throws -> SiteName {
        guard let name = SiteName(rawValue: text) else { throw Missing() }
        return name
    }

    static func planID() throws -> ResourceID {
        let text = "/subscriptions/\(subscription)/resourceGroups/containers/providers/Microsoft.Web/serverfarms/plan"
        guard let id = ResourceID(text) else { throw Missing() }
        return id
    }

    static func siteRequest(settings: [SiteRequest.Setting] = []) throws -> SiteRequest {
        SiteRequest(
            location: "westeurope", tags: ["managed-by": "skls"], image: "alpine:3", appSettings: settings,
            hosting: .plan(try planID()), httpsOnly: true, webSocketsEnabled: true, functionAppScaleLimit: 1)
    }

    static func site(_ name: String) -> String {
        """
        {"id":"/subscriptions/\(subscription)/resourceGroups/containers/providers/Microsoft.Web/sites/\(name)",
         "name":"\(name)","type":"Microsoft.Web/sites","kind":"functionapp,linux,container","location":"West Europe",
         "tags":{"managed-by":"skls"},"properties":{"state":"Running","enabled":true,
         "defaultHostName":"\(name).azurewebsites.net","siteConfig":{"linuxFxVersion":"DOCKER|alpine:3"}}}
        """
    }

    /// A client whose calls a script answers.
    static func client(_ transport: ScriptedTransport, credential: (any TokenCredential)? = nil) throws -> AzureClient {
        AzureClient(
            environment: try environment(), scope: try scope(),
            credential: credential ?? CountingCredential(now: transport.clock.now), sending: transport)
    }

    /// A client whose time passes only by its own waits, which are noted.
    static func client(
        _ transport: ScriptedTransport, waits: NIOLockedValueBox<[Duration]>, rates: RequestRates = .unlimited
    ) throws -> AzureClient {
        let pacing = Pacing(
            pause: { wait in
                try Task.checkCancellation()
                waits.withLockedValue { $0.append(wait) }
                transport.advance(by: wait)
            }, jitter: { 0 })
        return AzureClient(
            environment: try environment(), scope: try scope(),
            credential: CountingCredential(lifetime: .seconds(86_400), now: transport.clock.now), sending: transport,
            rates: rates, pacing: pacing)
    }

    /// The request of a call, for what is judged without a client.
    static func request(isWrite: Bool = false, secrets: [Secret] = []) -> AzureRequest {
        AzureRequest(
            operation: isWrite ? .putSite : .getSite, resource: "sample", method: isWrite ? .PUT : .GET,
            url: "https://management.example/", isWrite: isWrite, correlationID: correlation, timeout: .seconds(5),
            secrets: secrets)
    }

    /// Runs the body with a real transport and ends its HTTP client afterwards.
    static func withTransport<Value>(
        logger: Logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
        settings: HTTPSettings = HTTPSettings(), _ body: (AzureTransport) async throws -> Value
    ) async throws -> Value {
        let clients = HTTPClients(settings)
        let transport = AzureTransport(clients: clients, userAgent: "skls-tests", logger: logger)
        do {
            let value = try await body(transport)
            try await clients.shutdown()
            return value
        } catch {
            try await clients.shutdown()
            throw error
        }
    }

    struct Missing: Error {}
}

/// The error of a call that has to fail.
func failure<Value>(of call: () async throws(AzureError) -> Value) async throws -> AzureError {
    do throws(AzureError) {
        _ = try await call()
    } catch {
        return error
    }
    throw Sample.Missing()
}
