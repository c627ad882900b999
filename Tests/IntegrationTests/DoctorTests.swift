import Foundation
import Testing

/// `skls doctor` against a simulator, as an operator reads it.
@Suite(.serialized, .timeLimit(.minutes(3)))
struct DoctorTests {
    private struct Report: Decodable {
        struct Check: Decodable {
            let name: String
            let status: String
            let detail: String
            let advice: String?
        }

        let healthy: Bool
        let checks: [Check]

        subscript(_ name: String) -> Check? { checks.first { $0.name == name } }
    }

    private func doctor(
        _ environment: [String: String], _ arguments: String...
    ) async throws -> ChildProcess.Result {
        try await ChildProcess(
            Installation.binaries + "/skls", ["doctor"] + arguments, environment: environment
        ).wait()
    }

    private func report(_ environment: [String: String]) async throws -> Report {
        let result = try await doctor(environment, "--format", "json")
        let report = try JSONDecoder().decode(Report.self, from: Data(result.output.utf8))
        #expect(result.status == (report.healthy ? 0 : 1), "\(result)")
        return report
    }

    @Test func `what is right is said, and what is wrong comes with what to do`() async throws {
        let installation = try await Installation.start()
        let azure = installation.azure
        let secret = try #require(azure["AZURE_CLIENT_SECRET"])
        func changed(_ changes: [String: String]) -> [String: String] { azure.merging(changes) { _, new in new } }

        let table = try await doctor(azure)
        #expect(table.status == 0, "\(table)")
        for line in [
            "STATUS", "credential EnvironmentCredential", "not asked: one before it decides",
            "tenant \(azure["AZURE_TENANT_ID"] ?? "?")", "skls-plan, EP1 ElasticPremium",
        ] {
            #expect(table.output.contains(line), "\(table)")
        }
        #expect(!table.output.contains("failed") && !table.output.contains(secret) && !table.output.contains("eyJ"))
        #expect(installation.daemonLog.contains("Azure credential"), "the daemon says which credential it uses")
        #expect(!installation.daemonLog.contains(secret))

        let healthy = try await report(azure)
        #expect(healthy.healthy && healthy["resource group"]?.status == "ok")

        let group = try await report(changed(["SKLS_RESOURCE_GROUP": "nope"]))
        #expect(group["subscription"]?.status == "ok" && group["resource group"]?.status == "failed")
        #expect(group["resource group"]?.advice?.contains("az group create --name nope") == true)
        #expect(group["plan"]?.status == "skipped")

        let plan = try await report(changed(["SKLS_PLAN": "nope"]))
        #expect(plan["plan"]?.status == "failed" && plan["plan"]?.advice?.contains("EP1") == true)

        let region = try await report(changed(["SKLS_LOCATION": "atlantis"]))
        #expect(region["plan"]?.advice?.contains("SKLS_LOCATION") == true)

        let wrong = try await report(changed(["AZURE_CLIENT_SECRET": "wrong-secret"]))
        let credential = try #require(wrong["credential EnvironmentCredential"])
        #expect(credential.status == "failed" && credential.detail.contains("AADSTS7000215"))
        #expect(credential.advice?.contains("AZURE_CLIENT_SECRET") == true)
        #expect(wrong["token"]?.status == "skipped" && wrong["subscription"]?.status == "skipped")

        let nobody = try await report(changed(["AZURE_TOKEN_CREDENTIALS": "dev", "PATH": "/nonexistent"]))
        #expect(nobody["credential AzureCLICredential"]?.detail.contains("not installed") == true)
        #expect(nobody["credential EnvironmentCredential"]?.detail == "left out: AZURE_TOKEN_CREDENTIALS is dev")
        #expect(nobody["token"]?.status == "failed" && nobody["token"]?.advice?.contains("az login") == true)

        let registry = try await report(changed(["SKLS_REGISTRY": "http://127.0.0.1:1"]))
        #expect(registry["registry"]?.status == "failed" && registry["plan"]?.status == "ok")
        await installation.stop()
    }

    @Test func `all that is wrong in the environment is said at once`() async throws {
        let report = try await report([
            "SKLS_CLOUD": "nowhere", "AZURE_TOKEN_CREDENTIALS": "everything", "HTTPS_PROXY": "socks5://user:canary@p",
            "SKLS_CA_FILE": "/nonexistent", "SKLS_AZURE_ENDPOINT": "http://management.example",
        ])
        let faults = report.checks.filter { $0.status == "failed" }
        #expect(faults.count == 8 && faults.allSatisfy { $0.advice != nil }, "\(faults)")
        for name in [
            "AZURE_SUBSCRIPTION_ID", "SKLS_RESOURCE_GROUP", "SKLS_LOCATION", "SKLS_CLOUD", "AZURE_TOKEN_CREDENTIALS",
            "HTTPS_PROXY", "SKLS_CA_FILE", "SKLS_AZURE_ENDPOINT",
        ] {
            #expect(faults.contains { $0.detail.contains(name) }, "\(name)")
        }
        #expect(!faults.contains { $0.detail.contains("canary") })
    }
}
