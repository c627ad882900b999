import DesiredState
import Foundation
import Testing

@testable import APIServer

/// Plan before apply, by the real program and the real server, with a controller that always says the same.
@Suite(.timeLimit(.minutes(2)))
struct PlanTests {
    private static let first = """
        apiVersion: skls.dev/v1
        kind: FunctionApp
        metadata: {name: web, labels: {team: a}}
        spec: {image: alpine, args: [hold], env: [{name: TOKEN, value: hunter2}, {name: OLD, value: x}]}
        """
    private static let second = """
        apiVersion: skls.dev/v1
        kind: FunctionApp
        metadata: {name: web, labels: {team: b, tier: front}}
        spec:
          image: busybox
          args: [hold, "a b"]
          env: [{name: TOKEN, value: hunter3}]
          run: {timeoutSeconds: 30}
          azure: {appSettings: {KEY: hunter4}}
        """

    /// Without the digest, whose hashes depend on revisions and uids.
    private func block(_ output: String) -> String {
        output.split(separator: "\n", omittingEmptySubsequences: false).filter { !$0.hasPrefix("plan ") }
            .joined(separator: "\n")
    }

    private func digest(_ output: String) throws -> String {
        String(try #require(output.firstMatch(of: /plan ([0-9a-f]{16}-[0-9a-f]{16}-[0-9a-f]{16})\n$/)).1)
    }

    /// A record whose run is open and which nobody writes any more: `hold` runs until it is signalled.
    private func apply(_ text: String, to server: TestServer) async throws {
        #expect(try await server.skls("apply", "-f", "-", input: text).exitCode == 0)
        let record = try #require(try await server.record("web"))
        var changes = server.store.changes.subscribe(to: record.uid).makeAsyncIterator()
        while try await server.record("web")?.lastRunNumber != 1 { await changes.next() }
    }

    @Test func `a record that is not there is told in full, and nothing is made`() async throws {
        try await TestServer.with { server in
            let diff = try await server.skls("diff", "-f", "-", input: PlanTests.first)
            #expect(
                block(diff.output) == """
                    functionapp/web created
                      + metadata.labels.team: "a"
                      + spec.args: ["hold"]
                      + spec.env.OLD: (redacted)
                      + spec.env.TOKEN: (redacted)
                      + spec.image: "alpine"
                      then, if all goes well:
                        1. create the site  (absent)
                        2. begin run 1  (notInvoked)

                    """)
            #expect(diff.exitCode == 1 && diff.errors.isEmpty)
            #expect(try await server.store.allUIDs().isEmpty)
        }
    }

    @Test func `a change is told path by path, without secrets`() async throws {
        try await TestServer.with { server in
            try await apply(PlanTests.first, to: server)
            let dry = try await server.skls("apply", "-f", "-", "--dry-run=server", input: PlanTests.second)
            #expect(
                block(dry.output) == """
                    functionapp/web configured
                      ~ metadata.labels.team: "a" -> "b"
                      + metadata.labels.tier: "front"
                      ~ spec.args: ["hold"] -> ["hold","a b"]
                      + spec.azure.appSettings.KEY: (redacted)
                      - spec.env.OLD: (redacted)
                      ~ spec.env.TOKEN: (redacted) -> (redacted)
                      ~ spec.image: "alpine" -> "busybox"
                      ~ spec.run.timeoutSeconds: 600 -> 30
                      then, if all goes well:
                        1. write the site: siteConfig.linuxFxVersion  (drift)

                    """)
            #expect(dry.exitCode == 0 && !dry.output.contains("hunter"))
            #expect(try await server.record("web")?.spec.image.text == "alpine", "a dry run changes nothing")
        }
    }

    @Test func `no difference is exit code 0, a fault is more than 1`() async throws {
        try await TestServer.with { server in
            try await apply(PlanTests.first, to: server)
            let same = try await server.skls("diff", "-f", "-", input: PlanTests.first)
            #expect(block(same.output) == "functionapp/web unchanged\n" && same.exitCode == 0)
            let broken = try await server.skls("diff", "-f", "-", input: "kind: FunctionApp")
            #expect(broken.exitCode == 2 && broken.output.isEmpty)
            let nobody = try await server.skls("diff", "-f", "-", "--host", "unix:///nobody", input: PlanTests.first)
            #expect(nobody.exitCode >= 2 && nobody.output.isEmpty)
        }
    }

    @Test func `a plan is done as it was told`() async throws {
        try await TestServer.with { server in
            let both = PlanTests.first + "\n---\n" + PlanTests.second.replacing("name: web", with: "name: two")
            let plan = try digest(try await server.skls("diff", "-f", "-", input: both).output)
            let done = try await server.skls("apply", "-f", "-", "--plan", plan, input: both)
            #expect(done.output == "functionapp/web created\nfunctionapp/two created\n" && done.exitCode == 0)
            let again = try await server.skls("apply", "-f", "-", "--plan", plan, input: both)
            #expect(again.exitCode == 1 && again.output.isEmpty)
            #expect(again.errors.contains("the stored record was changed"))
        }
    }

    @Test func `what has moved is said, and nothing is applied`() async throws {
        try await TestServer.with { server in
            try await apply(PlanTests.first, to: server)
            let plan = try digest(try await server.skls("diff", "-f", "-", input: PlanTests.second).output)
            let other = PlanTests.second.replacing("busybox", with: "alpine")
            let manifest = try await server.skls("apply", "-f", "-", "--plan", plan, input: other)
            #expect(manifest.errors.contains("the manifest says something else") && manifest.exitCode == 1)
            server.previewer.add(PlannedAction(rule: "drift", text: "write the site"))
            let actions = try await server.skls("apply", "-f", "-", "--plan", plan, input: PlanTests.second)
            #expect(
                actions.errors
                    == "error: it is not as planned: the controller would do something else now; nothing was applied\n")
            #expect(try await server.record("web")?.spec.image.text == "alpine")
            #expect(try await server.skls("apply", "-f", "-", "--plan", "x").exitCode == 2)
        }
    }

    @Test func `the server refuses a plan of another time by itself`() async throws {
        try await TestServer.with { server in
            let path = "/apis/skls.dev/v1/functionapps/web"
            func put(_ query: String) async throws -> RawResponse {
                try await server.request("PUT", path + query, body: PlanTests.first, type: "application/yaml")
            }
            let told = try await put("?dryRun=All")
            let plan = try JSONDecoder().decode(ApplyPlan.self, from: Data(told.body.utf8))
            #expect(told.status == 200 && plan.resourceVersion == nil && plan.outcome == .created)
            #expect(try await put("?plan=\(plan.digest)").status == 201)
            let late = try await put("?plan=\(plan.digest)")
            #expect(late.status == 409)
            #expect(late.body.contains("functionapp/web is not as planned: the stored record was changed"))
            #expect(try await put("?dryRun=None").status == 400)
            #expect(try await put("?plan=1-2-3").status == 400)
        }
    }
}
