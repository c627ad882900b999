import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import Testing

/// The nineteen acceptance criteria of the Azure Functions backend's specification, each by the program as a process against the simulator.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct AZF001Tests {
    private static let noExec =
        #"{"message":"This backend (azf) does not support exec. CI runners require exec-capable backends (ecs, cloudrun, aca, docker)."}"#

    private func program(_ arguments: String..., environment: [String: String] = [:]) async throws
        -> ChildProcess.Result
    {
        try await ChildProcess(
            Installation.binaries + "/sockerless-backend-azf", arguments, environment: environment
        ).wait()
    }

    @Test func `AZF001Criterion01 the program sockerless-backend-azf runs`() async throws {
        let help = try await program("-help")
        #expect(help.status == 0 && help.output.contains("-addr") && help.output.contains("-log-level"), "\(help)")
        #expect(try await program("--version").output.contains("."))
        try await BackendInstallation.with { here in
            let health = try await here.ask(.GET, "/healthz")
            #expect(health.status == 200 && health.body.contains(#""status":"ok","component":"backend""#))
        }
    }

    @Test func `AZF001Criterion02 it listens on a unix socket, by default the specification's, or on TCP`() async throws
    {
        try await BackendInstallation.with { here in
            #expect(try await here.ask(.GET, "/capabilities").status == 200)
            var facts = stat()
            #expect(lstat(here.socket, &facts) == 0 && facts.st_mode & S_IFMT == S_IFSOCK)
            #expect(facts.st_mode & 0o777 == 0o660)
            let shown = try await program("-print-config", environment: here.variables)
            let usual =
                access("/var/run", W_OK) == 0 ? "/var/run/sockerless-backend.sock" : "/sockerless-backend.sock"
            let line = shown.output.split(separator: "\n").first { $0.hasPrefix("listen.socket") } ?? ""
            #expect(line.contains(usual) && line.hasSuffix("default"), "\(shown)")
            await here.installation.stopDaemon()

            try await here.installation.startDaemon(
                program: "sockerless-backend-azf", ["-addr", ":0"],
                environment: here.variables.merging(["SKLS_STATE": here.installation.folder + "/state"]) { _, new in new
                })
            func port() -> String? {
                let lines = here.logged("listening without proof of who connects: every user of this machine can")
                return lines.first.flatMap { ($0["socket"] as? String)?.split(separator: ":").last.map(String.init) }
            }
            while port() == nil { await Task.yield() }
            let request = HTTPClientRequest(url: "http://localhost:\(try #require(port()))/internal/v1/capabilities")
            let response = try await HTTPClient.shared.execute(request, timeout: .seconds(10))
            #expect(response.status == .ok)
        }
    }

    @Test func `AZF001Criterion03 clients for Function Apps and for the logs are ready when it is`() async throws {
        try await BackendInstallation.with { here in
            while try await here.ask(.GET, "/check").body.contains("error") { await Task.yield() }
            let requests = try here.installation.requests()
            #expect(requests.contains { $0.plane == "arm" && $0.method == "GET" && $0.path.hasSuffix("/sites") })
            #expect(
                requests.contains {
                    $0.plane == "arm" && $0.path.hasSuffix("/workspaces/" + BackendInstallation.workspaceName)
                })
            let provider = try await here.ask(.GET, "/provider").object()
            let resources = provider["resources"] as? [String: String]
            #expect(
                resources?["log_analytics_workspace"] == here.installation.azure["SKLS_LOG_WORKSPACE"],
                "the GUID, not the resource id")
        }
    }

    @Test func `AZF001Criterion04 flags come before the environment, that before the file, that before the defaults`()
        async throws
    {
        let folder = NSTemporaryDirectory() + "/skls-azf-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }  // what stays behind harms nobody
        let file = folder + "/azf.yaml"
        let yaml = """
            azf:
              subscription_id: "11111111-2222-3333-4444-555555555555"
              resource_group: from-file
              location: eastus
              storage_account: sockerlessstorage
              registry: sockerless.azurecr.io
              app_service_plan: ""
            logging:
              level: warn
            """
        try Data(yaml.utf8).write(to: URL(fileURLWithPath: file))
        let environment = ["SOCKERLESS_AZF_RESOURCE_GROUP": "from-environment", "SKLS_LOG_LEVEL": "error"]
        let shown = try await program(
            "-config", file, "-log-level", "debug", "-print-config", environment: environment)
        #expect(shown.status == 0, "\(shown)")
        let words = shown.output.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        func row(_ key: String) -> [String] { words.first { $0.first == key } ?? [] }
        #expect(row("logging.level") == ["logging.level", "debug", "-log-level"])
        #expect(
            row("azf.resource_group")
                == ["azf.resource_group", "from-environment", "$SOCKERLESS_AZF_RESOURCE_GROUP"])
        #expect(row("azf.location") == ["azf.location", "eastus", "azf.location", "in", file + ":4"])
        #expect(row("azf.timeout") == ["azf.timeout", "600", "default"])
        #expect(row("azf.app_service_plan").last == "unset")

        let refused = try await program("-config", file + "x")
        #expect(refused.status == 1 && refused.errors.contains("cannot be read"))
        let missing = try await program("-addr", "unix://\(folder)/s")
        #expect(missing.status == 1)
        for key in ["subscription_id", "resource_group", "location", "storage_account"] {
            #expect(missing.errors.contains("azf.\(key) ($"), "\(missing)")
        }
    }

    @Test func `AZF001Criterion05 capabilities are those of the specification`() async throws {
        try await BackendInstallation.with { here in
            let report = try await here.ask(.GET, "/capabilities").object()
            #expect(report["backend"] as? String == "azf" && (report["version"] as? String)?.isEmpty == false)
            let capabilities = try #require(report["capabilities"] as? [String: Any])
            let expected: [String: Bool] = [
                "agent_required": false, "exec": false, "attach": false, "logs": true, "logs_follow": false,
                "volumes": false, "networks": false, "health_checks": false, "image_pull": true, "image_load": false,
            ]
            for (name, value) in expected { #expect(capabilities[name] as? Bool == value, "\(name)") }
            #expect(capabilities["max_timeout_seconds"] as? Int == 600 && capabilities.count == 11)
        }
    }

    @Test func `AZF001Criterion06 create makes a Function App of the container's image`() async throws {
        try await BackendInstallation.with { here in
            let id = try await here.create(["true"], name: "job")
            #expect(id.wholeMatch(of: /[0-9a-f]{64}/) != nil)
            while try await here.installation.sites().isEmpty { await Task.yield() }
            let site = try #require(try await here.installation.sites().first)
            let read = try await here.installation.arm(
                .GET, "providers/Microsoft.Web/sites/\(site.name)/config/web?api-version=2025-03-01")
            #expect(String(decoding: read.body, as: UTF8.self).contains("DOCKER|"))
            #expect(String(decoding: read.body, as: UTF8.self).contains("alpine"))
            let settings = try await here.installation.arm(
                .POST, "providers/Microsoft.Web/sites/\(site.name)/config/appsettings/list?api-version=2025-03-01")
            #expect(
                String(decoding: settings.body, as: UTF8.self).contains(
                    "AccountName=\(BackendInstallation.storageAccount)"), "the storage account, by its key")
        }
    }

    @Test func `AZF001Criterion07 start begins the run by HTTP, once`() async throws {
        try await BackendInstallation.with { here in
            let run = try await here.run(["echo", "hello"])
            #expect(run.exitCode == 0)
            #expect(try here.installation.executions().count == 1)
            let posts = try here.installation.requests().filter {
                $0.plane == "site" && $0.method == "POST" && $0.path.hasPrefix("/skls/v1/runs/")
            }
            #expect(posts.count == 1)
        }
    }

    @Test func `AZF001Criterion08 logs have tail and timestamps, and following answers with what there is`()
        async throws
    {
        try await BackendInstallation.with { here in
            let run = try await here.run(["sh", "-c", "echo one; echo two; echo three"])
            let logs = "/containers/\(run.id)/logs?stdout=1&stderr=1"
            #expect(try await here.ask(.GET, logs).body.contains("one"))
            let tail = try await here.ask(.GET, logs + "&tail=1").body
            #expect(tail.contains("three") && !tail.contains("two"))
            let stamped = try await here.ask(.GET, logs + "&tail=1&timestamps=1").body
            #expect(stamped.firstMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z three/) != nil, "\(stamped)")
            // A container that runs on: the answer ends all the same.
            let long = try await here.create(["sh", "-c", "echo begun; sleep 100"])
            #expect(try await here.ask(.POST, "/containers/\(long)/start").status == 204)
            let follow = "/containers/\(long)/logs?stdout=1&follow=true"
            while try await !here.ask(.GET, follow).body.contains("begun") { await Task.yield() }
        }
    }

    @Test func `AZF001Criterion09 wait answers with the exit code, and not with 0 after the time limit`() async throws {
        try await BackendInstallation.with(["SOCKERLESS_AZF_TIMEOUT": "2"]) { here in
            #expect(try await here.run(["true"]).exitCode == 0)
            #expect(try await here.run(["sh", "-c", "exit 7"]).exitCode == 7)
            let late = try await here.run(["sleep", "100"])
            #expect(late.exitCode.map { $0 > 0 } == true, "\(late)")
            #expect(try await here.ask(.GET, "/capabilities").body.contains(#""max_timeout_seconds":2"#))
        }
    }

    @Test func `AZF001Criterion10 stop and kill succeed and end nothing`() async throws {
        try await BackendInstallation.with { here in
            let id = try await here.create(["sh", "-c", "sleep 3; echo done"], name: "long")
            #expect(try await here.ask(.POST, "/containers/long/start").status == 204)
            for verb in ["stop", "stop?t=0", "kill", "kill?signal=KILL"] {
                #expect(try await here.ask(.POST, "/containers/long/" + verb).status == 204)
            }
            #expect(try await here.ask(.GET, "/containers/long").body.contains(#""Running":true"#))
            let wait = try await here.ask(.POST, "/containers/\(id)/wait")
            #expect(try wait.object()["StatusCode"] as? Int == 0)
            #expect(try await here.ask(.GET, "/containers/long/logs?stdout=1").body.contains("done"))
            #expect(try await here.ask(.POST, "/containers/long/stop").status == 204, "nothing to stop")
        }
    }

    @Test func `AZF001Criterion11 remove deletes the Function App and its record`() async throws {
        try await BackendInstallation.with { here in
            let run = try await here.run(["true"], name: "job")
            #expect(try await here.installation.sites().count == 1)
            #expect(try await here.ask(.DELETE, "/containers/job").status == 204)
            #expect(try await here.ask(.GET, "/containers/\(run.id)").status == 404)
            while try await !here.installation.sites().isEmpty { await Task.yield() }
            #expect(try await here.ask(.GET, "/containers?all=true").body == "[]")
        }
    }

    @Test func `AZF001Criterion12 exec and attach are 501 in the specification's words`() async throws {
        try await BackendInstallation.with { here in
            let id = try await here.create(["true"])
            for (method, path) in [
                (HTTPMethod.POST, "/containers/\(id)/exec"), (.POST, "/exec/\(id)/start"), (.GET, "/exec/\(id)"),
            ] {
                let answer = try await here.ask(method, path, method == .POST ? "{}" : nil)
                #expect(answer.status == 501 && answer.body == Self.noExec, "\(path): \(answer)")
            }
            let attach = try await here.ask(.POST, "/containers/\(id)/attach")
            #expect(attach.status == 501)
            #expect(attach.body == Self.noExec.replacingOccurrences(of: "support exec", with: "support attach"))
        }
    }

    @Test func `AZF001Criterion13 a pull asks nothing of Azure, and an image's metadata is kept`() async throws {
        try await BackendInstallation.with { here in
            let before = try here.installation.requests().filter { $0.plane == "arm" && $0.method != "GET" }.count
            let pull = try await here.ask(.POST, "/images/pull", #"{"Reference":"alpine:latest"}"#)
            #expect(pull.status == 200 && pull.body.contains(#""status":"#), "\(pull)")
            let image = try await here.ask(.GET, "/images/alpine").object()
            #expect(image["RepoTags"] as? [String] == ["alpine:latest"])
            #expect((image["Id"] as? String)?.hasPrefix("sha256:") == true)
            let after = try here.installation.requests().filter { $0.plane == "arm" && $0.method != "GET" }.count
            #expect(after == before)
            #expect(try await here.ask(.POST, "/images/load").status == 501)
        }
    }

    @Test func `AZF001Criterion14 networks and volumes are 501`() async throws {
        try await BackendInstallation.with { here in
            for path in ["/networks", "/volumes"] {
                for method in [HTTPMethod.POST, .GET] {
                    let answer = try await here.ask(method, path, method == .POST ? #"{"Name":"x"}"# : nil)
                    #expect(answer.status == 501 && answer.body.contains("This backend (azf) does not support"))
                }
                #expect(try await here.ask(.DELETE, path + "/x").status == 501)
            }
        }
    }

    @Test func `AZF001Criterion15 what maps containers to Function Apps outlives the process`() async throws {
        try await BackendInstallation.with { here in
            let run = try await here.run(["sh", "-c", "echo kept; exit 5"], name: "job")
            let site = try #require(try await here.installation.sites().first)
            await here.installation.stopDaemon()
            try await here.start()
            let state = try #require(
                try await here.ask(.GET, "/containers/job").object()["State"] as? [String: Any])
            #expect(state["Status"] as? String == "exited" && state["ExitCode"] as? Int == 5)
            let resources = try #require(try await here.ask(.GET, "/resources?active=true").json() as? [[String: Any]])
            #expect(resources.count == 1 && resources[0]["containerId"] as? String == run.id)
            #expect((resources[0]["resourceId"] as? String)?.hasSuffix("/sites/" + site.name) == true)
            #expect(((resources[0]["metadata"] as? [String: String])?["host"] ?? "").isEmpty == false)
            #expect(try await here.ask(.GET, "/images/alpine").status == 200)
            #expect(try await here.ask(.GET, "/containers/job/logs?stdout=1").body.contains("kept"))
        }
    }

    @Test func `AZF001Criterion16 what Azure refuses becomes an error body with a message`() async throws {
        try await BackendInstallation.with(["SOCKERLESS_AZF_APP_SERVICE_PLAN": "nosuchplan"]) { here in
            let id = try await here.create(["true"])
            let start = try await here.ask(.POST, "/containers/\(id)/start")
            #expect(start.status == 500 && start.type == "application/json", "\(start)")
            #expect((try start.object()["message"] as? String)?.contains("nosuchplan") == true, "\(start)")
            let unknown = try await here.ask(.POST, "/images/pull", #"{"Reference":"nosuchimage"}"#)
            #expect(unknown.status == 404 && unknown.body.hasPrefix(#"{"message":"pull access denied"#))
        }
    }

    @Test func `AZF001Criterion17 credentials are found as Azure's SDKs find them`() async throws {
        try await BackendInstallation.with { here in
            while here.logged("Azure credential").isEmpty { await Task.yield() }
            #expect(here.logged("Azure credential")[0]["credential"] as? String == "EnvironmentCredential")
        }
        let plain = try await BackendInstallation.prepare()
        let exports = try String(contentsOfFile: plain.installation.folder + "/exports", encoding: .utf8)
        func commented(_ name: String) throws -> String {
            let line = try #require(exports.split(separator: "\n").first { $0.hasPrefix("# export \(name)=") })
            return String(line.dropFirst("# export \(name)=".count))
        }
        let identity = BackendInstallation(
            installation: plain.installation,
            variables: plain.variables.merging([
                "AZURE_CLIENT_ID": "", "AZURE_CLIENT_SECRET": "", "AZURE_TENANT_ID": "",
                "IDENTITY_ENDPOINT": try commented("IDENTITY_ENDPOINT"),
                "IDENTITY_HEADER": try commented("IDENTITY_HEADER"),
            ]) { _, new in new })
        try await identity.start()
        while identity.logged("Azure credential").isEmpty { await Task.yield() }
        #expect(identity.logged("Azure credential")[0]["credential"] as? String == "ManagedIdentityCredential")
        #expect(try await identity.run(["true"]).exitCode == 0)
        await identity.installation.stop()
    }

    @Test func `AZF001Criterion18 SIGTERM lets requests under way end, and then it ends in order`() async throws {
        try await BackendInstallation.with { here in
            let id = try await here.create(["sleep", "100"])
            #expect(try await here.ask(.POST, "/containers/\(id)/start").status == 204)
            // Created and started while the signal comes: what was begun is answered.
            async let started = here.ask(.POST, "/containers", #"{"Image":"alpine","Cmd":["true"]}"#)
            async let waited = here.ask(.POST, "/containers/\(id)/wait")
            #expect(try await started.status == 201)
            let ended = await here.installation.endDaemon()
            // The head of a wait goes out at once; its rest ends with the process, in whichever way the client is told.
            _ = try? await waited
            #expect(ended?.status == 0, "\(String(describing: ended))")
            #expect(access(here.socket, F_OK) != 0, "the socket's path is removed")
            try await here.start()
            #expect(try await here.ask(.GET, "/containers/\(id)").body.contains(#""Running":true"#))
        }
    }

    @Test func `AZF001Criterion19 each request is logged with its status, its time and Azure's correlation ids`()
        async throws
    {
        try await BackendInstallation.with { here in
            let run = try await here.run(["true"], name: "job")
            #expect(try await here.ask(.GET, "/containers/nope").status == 404)
            #expect(try await here.ask(.DELETE, "/containers/job").status == 204)
            // A record that is forgotten before the line is written has no journal any more, so one of several deletions has to show them.
            func identified() -> [String]? {
                here.logged("request").filter { $0["method"] as? String == "DELETE" }.compactMap {
                    $0["correlation_id"] as? [String]
                }.first
            }
            for number in 0..<50 where identified() == nil {
                _ = try await here.create(["true"], name: "job\(number)")
                #expect(try await here.ask(.POST, "/containers/job\(number)/start").status == 204)
                #expect(try await here.ask(.DELETE, "/containers/job\(number)?force=1").status == 204)
            }
            let lines = here.logged("request")
            func line(_ method: String, _ path: String) throws -> [String: Any] {
                try #require(
                    lines.first { $0["method"] as? String == method && $0["path"] as? String == path },
                    "\(method) \(path)")
            }
            let missing = try line("GET", "/internal/v1/containers/nope")
            #expect(missing["status"] as? String == "404" && missing["key"] == nil)
            let start = try line("POST", "/internal/v1/containers/\(run.id)/start")
            #expect(start["status"] as? String == "204")
            #expect((start["duration_ms"] as? String).flatMap { Int($0) } != nil)
            #expect((start["request_id"] as? String)?.isEmpty == false)
            #expect(start["key"] as? String == String(run.id.prefix(12)))
            let ids = try #require(identified())
            #expect(!ids.isEmpty && ids.allSatisfy { UUID(uuidString: $0) != nil })
        }
    }
}
