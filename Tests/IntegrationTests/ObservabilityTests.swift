import Foundation
import NIOConcurrencyHelpers
import Testing

/// What a daemon tells about itself: log lines, spans, metrics, explanations; and what it never tells.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct ObservabilityTests {
    /// Secrets that a daemon is given, each by its own way.
    private static let secrets = [
        "SKLS_REGISTRY_PASSWORD": "registry-Pa55-w0rd",
        "SKLS_APPINSIGHTS_CONNECTION_STRING": "InstrumentationKey=appinsights-Pa55-w0rd",
        "SKLS_STORAGE_CONNECTION_STRING":
            "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=storage-Pa55-w0rd;EndpointSuffix=core.windows.net",
    ]

    @Test func `logs, spans, metrics and explanations tell what happens and no secret`() async throws {
        let here = try await Installation.start()
        let lines = NIOLockedValueBox<[String]>([])
        here.killDaemon()
        await here.waitForDaemon()
        here.onDaemonLogLine { line in lines.withLockedValue { $0.append(line) } }
        let traces = here.folder + "/spans.jsonl"
        try await here.startDaemon(
            variables:
                ObservabilityTests.secrets.merging([
                    "SKLS_LOG_FORMAT": "json", "SKLS_TRACE_FILE": traces, "SKLS_REGISTRY_SERVER": "registry.example",
                    "SKLS_REGISTRY_USERNAME": "someone",
                ]) { _, own in own })
        let manifest = """
            {apiVersion: skls.dev/v1, kind: FunctionApp, metadata: {name: watched},
             spec: {image: alpine, command: [sh, -c, "exit 3"], invocations: 1,
                    env: [{name: TOKEN, value: record-Pa55-w0rd}]}}
            """
        let applied = try await here.skls("apply", "-f", "-", input: manifest)
        #expect(applied.errors.isEmpty, "\(applied)")
        _ = try await here.skls("wait", "watched", "--for=condition=Failed", "--timeout", "60s")

        // The journal is written behind the controller's back: the newest events come after their commit.
        var events = ""
        while !events.contains("RunFinished") { events = try await here.skls("events", "watched").output }
        for reason in ["SiteCreating", "SiteCreated", "ContainerReady", "RunStarted", "RunFinished"] {
            #expect(events.contains(reason), "\(events)")
        }
        let page = try await here.skls("explain", "watched").output
        #expect(
            page.hasPrefix("watched: Nothing is to be done: Azure is as declared. It is looked at again in "), "\(page)"
        )
        let json = try await here.skls("explain", "watched", "--format", "json").output
        let explanation = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
        #expect(explanation["rule"] as? String == "steady")
        let journal = try #require(explanation["journal"] as? [[String: Any]])
        let put = try #require(journal.first { $0["name"] as? String == "putSite" })
        let metrics = try await here.request("GET", "/metrics")
        #expect(metrics.status == 200 && metrics.type == "text/plain; version=0.0.4; charset=utf-8")
        #expect(metrics.body.contains("rest_client_requests_total{code=\"200\",method=\"PUT\"} 1\n"), "\(metrics.body)")
        #expect(try await here.request("GET", "/apis/skls.dev/v1/functionapps/nobody/explain").status == 404)
        #expect(try await here.request("GET", "/apis/skls.dev/v1/functionapps/nobody/events").status == 404)
        let everything = try await here.everythingWrittenDown()
        await here.stopDaemon()

        // Each line of a reconcile says which record, which generation, which look and which rule.
        let logged = lines.withLockedValue { $0 }
        var called = 0
        for line in logged {
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            let message = try #require(object?["message"] as? String, "not one JSON object: \(line)")
            guard ["called", "committed", "a call failed", "the agent did not answer"].contains(message) else {
                continue
            }
            let metadata = try #require(object?["metadata"] as? [String: String], "\(line)")
            #expect(Set(metadata.keys).isSuperset(of: ["key", "generation", "reconcileID", "rule"]), "\(line)")
            called += 1
        }
        #expect(called > 5)

        // The journal, the log and the spans name the same request.
        let spans = try String(contentsOfFile: traces, encoding: .utf8)
        let correlation = try #require(put["correlationID"] as? String)
        #expect(spans.contains("\"correlation_id\":\"\(correlation)\""))
        #expect(logged.contains { $0.contains(correlation) && $0.contains("putSite") })
        #expect(spans.split(separator: "\n").count { $0.contains("\"name\":\"reconcile\"") } >= 5)

        let told = logged.joined(separator: "\n") + spans + events + page + json + metrics.body + everything
        let secrets = ["Pa55-w0rd", here.azure["AZURE_CLIENT_SECRET"] ?? "Pa55-w0rd"]
        for secret in secrets { #expect(!told.contains(secret), "\(secret) is told") }
        await here.stop()
    }
}
