import AzureSimulator
import Logging
import ServiceLifecycle
import Testing

@testable import AzureClient

/// The whole client against the simulated Azure over HTTP. Images are unknown there, so that no container starts.
@Suite(.timeLimit(.minutes(1))) struct SimulatorTests {
    @Test func `a site is put, read, listed and deleted`() async throws {
        try await withSimulator { simulated in
            let client = try simulated.client()
            let name = try Sample.name()
            #expect(try await client.getSite(name, correlationID: Sample.correlation) == nil)
            let outcome = try await client.putSite(name, simulated.request(), correlationID: Sample.correlation)
            guard case .finished(let stale) = outcome else { throw Sample.Missing() }
            #expect(stale.isNamed(name))
            let site = try #require(try await client.getSite(name, correlationID: Sample.correlation))
            #expect(site.resourceID == simulated.scope.site(name))
            #expect(site.linuxFxVersion == "DOCKER|registry.example/nosuch:1")
            #expect(site.tags == ["managed-by": "skls"])
            #expect(site.state == "Running" && site.defaultHostName != nil && site.lastModifiedTime != nil)
            #expect(site.serverFarmID == simulated.planID)
            #expect(try await client.listSites(correlationID: Sample.correlation).map(\.name) == [name.rawValue])
            #expect(try await client.deleteSite(name, correlationID: Sample.correlation) == .deleted)
            #expect(try await client.deleteSite(name, correlationID: Sample.correlation) == .absent)
            #expect(try await client.listSites(correlationID: Sample.correlation).isEmpty)
            let plan = try await client.getPlan(simulated.planID, correlationID: Sample.correlation)
            #expect(plan?.skuName == "EP1" && plan?.reserved == true)
        }
    }

    @Test func `a list over many pages is whole`() async throws {
        try await withSimulator {
            $0.pageSize = 3
        } body: { simulated in
            let client = try simulated.client()
            let names = try (1...10).map { try Sample.name("skls-\($0)") }
            for name in names {
                _ = try await client.putSite(name, simulated.request(), correlationID: Sample.correlation)
            }
            let listed = try await client.listSites(correlationID: Sample.correlation)
            #expect(listed.map(\.name).sorted() == names.map(\.rawValue).sorted())
        }
    }

    @Test func `a name that another group holds is taken`() async throws {
        try await withSimulator {
            $0.otherResourceGroups = ["other"]
        } body: { simulated in
            let name = try Sample.name()
            _ = try await simulated.client().putSite(name, simulated.request(), correlationID: Sample.correlation)
            let (other, request) = (try simulated.client(group: "other"), try simulated.request())
            let error = try await failure { () throws(AzureError) in
                try await other.putSite(name, request, correlationID: Sample.correlation)
            }
            #expect(error.code == .nameTaken && error.status == 409 && error.innerCode == "54001")
            #expect(!error.effectIsUnknown)
            #expect(error.correlationID == Sample.correlation.description && error.requestID != nil)
            #expect(try await other.getSite(name, correlationID: Sample.correlation) == nil)
        }
    }

    @Test func `a missing group, subscription or plan is not a missing site`() async throws {
        try await withSimulator { simulated in
            let name = try Sample.name()
            for client in [
                try simulated.client(group: "nosuch"), try simulated.client(subscription: Sample.subscription),
            ] {
                for error in [
                    try await failure { () throws(AzureError) in
                        try await client.getSite(name, correlationID: Sample.correlation)
                    },
                    try await failure { () throws(AzureError) in
                        try await client.listSites(correlationID: Sample.correlation)
                    },
                ] {
                    #expect(error.code == .scopeNotFound)
                }
            }
            var request = try simulated.request()
            request.hosting = .plan(try #require(ResourceID(simulated.planID.description + "-nosuch")))
            let client = try simulated.client()
            let error = try await failure { [request] () throws(AzureError) in
                try await client.putSite(name, request, correlationID: Sample.correlation)
            }
            #expect(error.code == .scopeNotFound)
        }
    }

    @Test func `a container's log is read, and is absent with its site`() async throws {
        try await withSimulator { simulated in
            let client = try simulated.client()
            let name = try Sample.name()
            let error = try await failure { () throws(AzureError) in
                try await client.containerLogs(name, correlationID: Sample.correlation)
            }
            #expect(error.code == .notFound)
            _ = try await client.putSite(name, simulated.request(), correlationID: Sample.correlation)
            #expect(
                try await client.containerLogs(name, correlationID: Sample.correlation).contains("manifest unknown"))
        }
    }

    @Test func `a wrong secret is refused with Entra's own code and not shown`() async throws {
        try await withSimulator { simulated in
            let client = try simulated.client(secret: Secret("wrong-canary"))
            let name = try Sample.name()
            let error = try await failure { () throws(AzureError) in
                try await client.getSite(name, correlationID: Sample.correlation)
            }
            #expect(error.code == .unauthorized && error.operation == .fetchToken)
            #expect(error.innerCode == "AADSTS7000215")
            #expect(!error.description.contains("wrong-canary"))
        }
    }

    @Test func `a tag is resolved where it exists`() async throws {
        try await withSimulator { simulated in
            let registry = RegistryClient(endpoint: try ServiceURL(simulated.url), transport: simulated.transport)
            let digest = try await registry.resolve(
                repository: "library/alpine", reference: "latest", correlationID: Sample.correlation)
            let found = try #require(digest)
            #expect(
                try await registry.resolve(
                    repository: "library/alpine", reference: found.rawValue, correlationID: Sample.correlation) == found
            )
            #expect(
                try await registry.resolve(
                    repository: "library/nosuch", reference: "latest", correlationID: Sample.correlation) == nil)
        }
    }
}

/// A running simulator and what is needed to talk to it.
struct SimulatedAzure: Sendable {
    let configuration: SimulatorConfiguration
    let url: String
    let transport: AzureTransport
    let scope: AzureScope
    let planID: ResourceID

    init(configuration: SimulatorConfiguration, url: String, transport: AzureTransport) throws {
        self.configuration = configuration
        self.url = url
        self.transport = transport
        scope = try AzureScope(
            subscriptionID: configuration.subscriptionID, resourceGroup: configuration.resourceGroup)
        let plan = "\(scope.group)/providers/Microsoft.Web/serverfarms/\(configuration.planName)"
        guard let planID = ResourceID(plan) else { throw Sample.Missing() }
        self.planID = planID
    }

    func client(
        group: String? = nil, subscription: String? = nil, secret: Secret? = nil
    ) throws -> AzureClient {
        let environment = try AzureEnvironment(
            resourceManager: url, authority: url, audience: "https://management.azure.com", logAnalytics: url,
            logAnalyticsAudience: "https://api.loganalytics.io")
        let credential = ClientSecretCredential(
            environment: environment, tenant: configuration.tenantID, clientID: configuration.clientID,
            secret: secret ?? Secret(configuration.clientSecret.revealed), transport: transport)
        return AzureClient(
            environment: environment,
            scope: try AzureScope(
                subscriptionID: subscription ?? configuration.subscriptionID,
                resourceGroup: group ?? configuration.resourceGroup),
            credential: credential, transport: transport)
    }

    func request() throws -> SiteRequest {
        SiteRequest(
            location: configuration.location, tags: ["managed-by": "skls"], image: "registry.example/nosuch:1",
            appSettings: [.init(name: "A", value: Secret("canary"))], hosting: .plan(planID))
    }
}

/// Runs the body with a simulator, which ends with it.
func withSimulator(
    _ change: (inout SimulatorConfiguration) -> Void = { _ in }, body: (SimulatedAzure) async throws -> Void
) async throws {
    var configuration = SimulatorConfiguration(agentExecutable: "/bin/sh")
    change(&configuration)
    let (ready, signal) = AsyncStream<SimulatorAddress>.makeStream()
    let quiet = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
    let simulator = try AzureSimulator(configuration: configuration, logger: quiet) {
        signal.yield($0)
        signal.finish()
    }
    let group = ServiceGroup(configuration: .init(services: [.init(service: simulator)], logger: quiet))
    try await withThrowingTaskGroup(of: Void.self) { tasks in
        tasks.addTask {
            defer { signal.finish() }
            try await group.run()
        }
        if let address = await ready.first(where: { _ in true }) {
            do {
                try await Sample.withTransport { transport in
                    try await body(
                        SimulatedAzure(configuration: configuration, url: address.url, transport: transport))
                }
            } catch {
                await group.triggerGracefulShutdown()
                throw error
            }
            await group.triggerGracefulShutdown()
        }
        try await tasks.waitForAll()
    }
}
