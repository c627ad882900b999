import AzureClient
import Logging

/// One way to one Azure: its cloud, the credential and the client that uses them.
struct AzureConnection: Sendable {
    let environment: AzureEnvironment
    let credential: DefaultCredential
    let transport: AzureTransport
    let client: AzureClient

    /// Asks the cloud where its services are, if it is not a published one.
    /// - Throws: if that fails, or a setting is none that can be used.
    /// `onReply` is told of each request's end; without a status where no answer came.
    init(
        _ settings: AzureSettings, clients: HTTPClients, logger: Logger,
        onReply: @escaping @Sendable (_ method: String, _ status: Int?) -> Void = { _, _ in }
    ) async throws {
        transport = AzureTransport(
            clients: clients, userAgent: "skls/\(sklsVersion)", logger: logger, onReply: onReply)
        environment = try await settings.environment(transport)
        credential = settings.credentials.credential(environment: environment, transport: transport) { report in
            logger.info(
                "Azure credential",
                metadata: [
                    "credential": .string(report.used?.rawValue ?? ""),
                    "passed_over": .array(report.lines.compactMap { $0.passedOver.map { .string($0) } }),
                ])
        }
        client = AzureClient(
            environment: environment,
            scope: try AzureScope(subscriptionID: settings.subscriptionID, resourceGroup: settings.resourceGroup),
            credential: credential, transport: transport,
            rates: settings.keepsPublishedRates ? .published : .unlimited)
        logger.info(
            "Azure cloud",
            metadata: [
                "cloud": .string(environment.name),
                "resource_manager": .string(environment.resourceManager.description),
            ])
    }
}

extension AzureSettings {
    /// The cloud with what the settings put in place of its own addresses.
    func environment(_ transport: AzureTransport) async throws(AzureError) -> AzureEnvironment {
        let base: AzureEnvironment
        switch cloud {
        case .published(let published): base = published
        case .discovered(let address):
            base = try await CloudDiscovery.environment(
                at: address, transport: transport, correlationID: CorrelationID(AzureTransport.randomID()))
        }
        // Whoever stands in for a cloud's services takes the tokens that are issued for them, as the simulator does.
        return try AzureEnvironment(
            base, resourceManager: resourceManager, authority: authority, audience: audience ?? base.audience,
            logAnalytics: logAnalytics, logAnalyticsAudience: base.logAnalyticsAudience)
    }
}

extension CredentialReport.Line {
    /// `name: reason` of a credential that was asked in vain.
    fileprivate var passedOver: String? {
        switch state {
        case .unavailable(let reason): "\(kind.rawValue): \(reason)"
        case .used, .failed, .notAsked, .excluded: nil
        }
    }
}
