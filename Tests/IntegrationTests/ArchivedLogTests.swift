import Foundation
import NIOHTTP1
import Testing

/// Logs after the kept ones are gone: they come from the log workspace, which App Service fills from the containers' consoles.
@Suite(.serialized, .timeLimit(.minutes(3)))
struct ArchivedLogTests {
    private func with(_ body: (Installation) async throws -> Void) async throws {
        let here = try await Installation.start()
        do {
            try await body(here)
        } catch {
            await here.stop()
            throw error
        }
        await here.stop()
    }

    /// As an operator does once for a site: its console goes to the workspace.
    private func sendConsole(of site: String, in here: Installation) async throws {
        let azure = here.azure
        let group =
            "/subscriptions/\(azure["AZURE_SUBSCRIPTION_ID"] ?? "")/resourceGroups/\(azure["SKLS_RESOURCE_GROUP"] ?? "")"
        let workspace = "\(group)/providers/Microsoft.OperationalInsights/workspaces/skls-logs"
        let reply = try await here.arm(
            .PUT,
            "providers/Microsoft.Web/sites/\(site)/providers/Microsoft.Insights/diagnosticSettings/skls?api-version=2021-05-01-preview",
            body:
                #"{"properties":{"workspaceId":"\#(workspace)","logs":[{"category":"AppServiceConsoleLogs","enabled":true}]}}"#
        )
        #expect(reply.status == .ok, "\(String(decoding: reply.body, as: UTF8.self))")
    }

    @Test func `docker logs shows the workspace's lines when the kept log is gone`() async throws {
        try await with { here in
            let script =
                #"i=0; while [ $i -lt 30 ]; do echo out $i; i=$((i+1)); done; echo oops >&2; printf 'ü\t\033[1mend'"#
            let created = try await here.docker("create", "--name", "c", "alpine", "sh", "-c", script)
            let id = created.output.trimmingCharacters(in: .whitespacesAndNewlines)
            #expect(created.errors.isEmpty, "\(created)")
            var sites: [(name: String, tags: [String: String])] = []
            while sites.isEmpty { sites = try await here.sites() }
            try await sendConsole(of: try #require(sites.first).name, in: here)
            let run = try await here.docker("start", "-a", "c")
            #expect(run.output.hasSuffix("out 29\nü\t\u{1b}[1mend") && run.errors == "oops\n", "\(run)")
            let kept = try await here.docker("logs", "c")
            #expect((kept.output, kept.errors) == (run.output, run.errors))
            let stamped = try await here.docker("logs", "-t", "c")

            let file = "\(here.folder)/state/outputs/\(id)/1.1.frames"
            #expect(FileManager.default.fileExists(atPath: file))
            try FileManager.default.removeItem(atPath: file)
            // Rows come to the workspace a little later than the run's end is known.
            var archived = try await here.docker("logs", "c")
            while archived.errors.contains("[skls:") { archived = try await here.docker("logs", "c") }
            #expect((archived.output, archived.errors) == (kept.output, kept.errors), "byte for byte")
            let tail = try await here.docker("logs", "--tail", "2", "c")
            #expect(tail.output == "out 29\nü\t\u{1b}[1mend" || tail.errors == "oops\n", "\(tail)")
            #expect(tail.output.split(separator: "\n").count + tail.errors.split(separator: "\n").count == 2)
            let stampedAgain = try await here.docker("logs", "-t", "c")
            #expect(stampedAgain.output == stamped.output, "with the times of the kept log")
            #expect(try await here.skls("logs", "c").output == kept.output)
        }
    }

    @Test func `nothing is left of output that is not to be kept`() async throws {
        try await with { here in
            let run = try await here.docker(
                "run", "--name", "q", "--log-driver", "none", "alpine", "sh", "-c", "echo secret; exit 3")
            #expect(run.output == "secret\n" && run.status == 3, "\(run)")
            let inspect = try await here.docker("inspect", "-f", "{{.Id}} {{.HostConfig.LogConfig.Type}}", "q")
            let words = inspect.output.split(whereSeparator: \.isWhitespace)
            #expect(words.last == "none")
            let logs = try await here.docker("logs", "q")
            #expect(logs.errors.contains("configured logging driver does not support reading"), "\(logs)")
            // The file goes once the end is committed and looked at again.
            let folder = "\(here.folder)/state/outputs/\(words.first ?? "")"
            while FileManager.default.fileExists(atPath: folder + "/1.1.frames") { await Task.yield() }
            let again = try await here.docker("start", "-a", "q")
            #expect(again.output == "secret\n", "\(again)")
            while FileManager.default.fileExists(atPath: folder + "/2.1.frames") { await Task.yield() }
            let site = try #require(try await here.sites().first).name
            let console = try await here.arm(
                .POST, "providers/Microsoft.Web/sites/\(site)/containerlogs?api-version=2023-12-01")
            #expect(!String(decoding: console.body, as: UTF8.self).contains("secret"))
        }
    }
}
