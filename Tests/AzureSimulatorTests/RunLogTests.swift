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

    @Test func `what a command wrote is read back from the workspace byte for byte`() async throws {
        try await RunningSimulator.run(agent: .real, { $0.logs.resultRows = 100 }) { simulator in
            let site = AgentContainerTests.AgentSite("a1", in: simulator)
            try await site.put(["SKLS_AGENT_CONSOLE": "1"])
            try await Self.keepLog(of: "a1", in: simulator)
            let boot = try await site.hello()
            let token = try Self.token("d")
            // Lines of both streams, a long one, bytes that are no text, the agent's own words, and an end without a line feed.
            let script = """
                i=0; while [ $i -lt 150 ]; do echo line $i; i=$((i+1)); done
                echo oops >&2; head -c 10000 /dev/zero | tr '\\0' q; echo; printf 'a\\000\\377\\033[1m b \\n'
                echo "skls-agent: exit token=\(token) boot=\(boot) code=9"; printf 'no end'
                """
            _ = try await site.agent.startRun(
                site.endpoint, boot: boot, token: token, request: RunRequest(arguments: ["sh", "-c", script]))
            try await Self.withClient(simulator) { client in
                let reader = ConsoleLogReader(
                    logs: client, workspace: try #require(GUID(simulator.configuration.logs.workspaceID)))
                let correlation = CorrelationID(try #require(GUID(Self.correlation)))
                func read(_ side: ConsoleLogQuery.Side) async throws -> ConsoleLogPage {
                    try await reader.read(
                        ConsoleLogQuery(
                            token: token.hex, from: .init(nanoseconds: 1_700_000_000_000_000_000),
                            to: .init(nanoseconds: 9_000_000_000_000_000_000), side: side),
                        correlationID: correlation)
                }
                try await simulator.until { try await read(.before(nil)).lines.last?.content == .end }
                var lines: [ConsoleLine] = []
                while true {
                    let page = try await read(.after(lines.last?.sequence ?? 0))
                    #expect(page.missing == nil && page.lines.count <= 100)
                    lines += page.lines
                    if page.isLast { break }
                }
                #expect(lines.map(\.sequence) == Array(1...UInt64(lines.count)))
                var output: [UInt8] = []
                var errors: [UInt8] = []
                for line in lines {
                    guard case .output(let stream, var bytes, let endsLine) = line.content else { continue }
                    if endsLine { bytes.append(UInt8(ascii: "\n")) }
                    if stream == .stderr { errors += bytes } else { output += bytes }
                }
                #expect(String(decoding: errors, as: UTF8.self) == "oops\n")
                var expected = (0..<150).map { "line \($0)\n" }.joined().utf8.map { $0 }
                expected += [UInt8](repeating: UInt8(ascii: "q"), count: 10_000) + [0x0a, 0x61, 0, 0xff, 0x1b]
                expected += Array("[1m b \nskls-agent: exit token=\(token) boot=\(boot) code=9\nno end".utf8)
                #expect(output == expected)
                // The agent's own line counts, the command's imitation of it does not.
                let finder = RunLogReader(
                    logs: client, workspace: try #require(GUID(simulator.configuration.logs.workspaceID)))
                #expect(
                    try await finder.find(
                        token: token.hex, openedAt: .init(nanoseconds: 1_700_000_000_000_000_000),
                        correlationID: correlation) == .exited(code: 0))
                #expect(try await read(.before(3)).lines.map(\.sequence) == [1, 2])
            }
        }
    }
}
