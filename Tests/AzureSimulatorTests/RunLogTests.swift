import AgentLink
import AgentProtocol
import AsyncHTTPClient
import AzureClient
import AzureSimulator
import DesiredState
import Logging
import NIOCore
import NIOHTTP1
import Testing

@testable import Controller

/// What the controller finds of a run in the log workspace: the agent's own lines, on their whole way.
@Suite(.timeLimit(.minutes(1)), .enabled(if: RunningSimulator.realAgent != nil, "skls-agent is not built"))
struct RunLogTests {
    private static let correlation = "5ba5e000-7e4a-4000-8000-00000000c0de"

    private static func token(_ digit: String) throws -> RunToken {
        try #require(RunToken(String(repeating: digit, count: 64)))
    }

    /// A diagnostic setting of the site that sends its containers' output to the workspace.
    private static func keepLog(of site: String, in simulator: RunningSimulator) async throws {
        let configuration = simulator.configuration
        let group = "/subscriptions/\(configuration.subscriptionID)/resourceGroups/\(configuration.resourceGroup)"
        let workspace =
            "\(group)/providers/Microsoft.OperationalInsights/workspaces/\(configuration.logs.workspaceName)"
        var request = HTTPClientRequest(
            url: "\(simulator.address.url)\(group)/providers/Microsoft.Web/sites/\(site)"
                + "/providers/Microsoft.Insights/diagnosticSettings/d1?api-version=2021-05-01-preview")
        request.method = .PUT
        request.headers.add(name: "Authorization", value: "Bearer \(simulator.token)")
        request.headers.add(name: "Content-Type", value: "application/json")
        let logs = #"[{"category":"AppServiceConsoleLogs","enabled":true}]"#
        request.body = .bytes(
            ByteBuffer(string: #"{"properties":{"workspaceId":"\#(workspace)","logs":\#(logs)}}"#))
        let reply = try await simulator.send(request)
        try #require(reply.status == 200, "\(reply.text)")
    }

    /// A client of the simulator for as long as `body` lasts.
    private static func withClient(
        _ simulator: RunningSimulator, _ body: (AzureClient) async throws -> Void
    ) async throws {
        let url = simulator.address.url
        let configuration = simulator.configuration
        let quiet = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        let clients = HTTPClients(HTTPSettings())
        let transport = AzureTransport(clients: clients, userAgent: "skls-tests", logger: quiet)
        let environment = try AzureEnvironment(
            resourceManager: url, authority: url, audience: "https://management.azure.com", logAnalytics: url,
            logAnalyticsAudience: "https://api.loganalytics.io")
        let client = AzureClient(
            environment: environment,
            scope: try AzureScope(
                subscriptionID: configuration.subscriptionID, resourceGroup: configuration.resourceGroup),
            credential: ClientSecretCredential(
                environment: environment, tenant: configuration.tenantID, clientID: configuration.clientID,
                secret: Secret(configuration.clientSecret.revealed), transport: transport),
            transport: transport)
        do {
            try await body(client)
            try await clients.shutdown()
        } catch {
            try await clients.shutdown()
            throw error
        }
    }

    @Test func `a run that began and one that ended are found, also when the site is gone`() async throws {
        try await RunningSimulator.run(agent: .real) { simulator in
            let site = AgentContainerTests.AgentSite("a1", in: simulator)
            try await site.put()
            try await Self.keepLog(of: "a1", in: simulator)
            let boot = try await site.hello()
            let (ended, open, strange) = (try Self.token("a"), try Self.token("b"), try Self.token("c"))
            func start(_ token: RunToken, _ command: String) async throws {
                _ = try await site.agent.startRun(
                    site.endpoint, boot: boot, token: token, request: RunRequest(arguments: ["sh", "-c", command]))
            }
            // Nobody reads the output of either: what a lost agent leaves behind is its log.
            try await start(ended, "echo out; exit 7")
            try await start(open, "sleep 1000")
            try await Self.withClient(simulator) { client in
                let workspace = try #require(GUID(simulator.configuration.logs.workspaceID))
                let reader = RunLogReader(logs: client, workspace: workspace)
                let correlation = CorrelationID(try #require(GUID(Self.correlation)))
                // Before all of this; the log has no older rows.
                let openedAt = DesiredState.Instant(nanoseconds: 1_700_000_000_000_000_000)
                func find(_ token: RunToken) async throws -> RunLogFinding {
                    try await reader.find(
                        token: token.description, openedAt: openedAt, correlationID: correlation)
                }
                try await simulator.until { try await find(ended) == .exited(code: 7) }
                try await simulator.until { try await find(open) == .began }
                #expect(try await find(strange) == .nothing)
                #expect(try await simulator.delete("a1").status == 200)
                #expect(try await find(ended) == .exited(code: 7))
                let later = try await reader.find(
                    token: ended.description, openedAt: .init(nanoseconds: 9_000_000_000_000_000_000),
                    correlationID: correlation)
                #expect(later == .nothing, "rows from long before the attempt do not count")
            }
        }
    }
}
