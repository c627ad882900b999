import Foundation
import Testing

/// A state directory that is put back to what it was: the daemon freezes, and `skls recover` leads out.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct RecoveryTests {
    @Test func `an older copy of the store writes nothing until it is recovered, and repeats nothing then`()
        async throws
    {
        let here = try await Installation.start()
        let kept = try await here.docker("run", "-d", "--name", "kept", "alpine", "sh", "-c", "exit 3")
        #expect(kept.status == 0, "\(kept)")
        #expect(try await here.docker("wait", "kept").output == "3\n")
        await stop(here)
        try FileManager.default.copyItem(atPath: here.folder + "/state", toPath: here.folder + "/backup")

        try await here.startDaemon()
        let later = try await here.docker(
            "run", "-d", "--name", "later", "-e", "SECRET=1", "alpine", "sh", "-c", "exit 4")
        #expect(later.status == 0, "\(later)")
        #expect(try await here.docker("wait", "later").output == "4\n")
        await stop(here)
        try FileManager.default.removeItem(atPath: here.folder + "/state")
        try FileManager.default.moveItem(atPath: here.folder + "/backup", toPath: here.folder + "/state")

        let sites = try await here.sites()
        let writes = try writeCount(here)
        let executions = try here.executions().count
        #expect(sites.count == 2 && executions == 2)
        try await here.startDaemon()
        // The list of sites comes soon after the start.
        var listed = try await here.skls("leaks", "list")
        while !listed.errors.contains("frozen: ") { listed = try await here.skls("leaks", "list") }
        #expect(listed.errors.contains("written by a life of the daemon that it does not know"), "\(listed)")
        // What users declare meanwhile is kept, and not carried out.
        #expect(try await here.docker("create", "--name", "new", "alpine", "true").status == 0)
        let plan = try await here.skls("recover", "--dry-run")
        let name = try #require(sites.first { $0.tags["skls-name"] == "later" }?.name)
        #expect(
            plan.status == 0 && plan.output.contains("site \(name) becomes functionapp/later, suspended"), "\(plan)")
        #expect(!plan.output.contains("functionapp/kept"), "\(plan)")
        let unasked = try await here.skls("recover")
        #expect(unasked.status == 2 && unasked.errors.contains("--yes is needed"), "\(unasked)")
        #expect(try writeCount(here) == writes, "nothing is written while the store is frozen")

        let recovered = try await here.skls("recover", "--yes")
        #expect(
            recovered.status == 0
                && recovered.output == "recovered: 0 runs given up, 1 records suspended, 1 sites adopted\n",
            "\(recovered)")
        let adopted = try await here.skls("get", "later", "-o", "json")
        #expect(adopted.output.contains("\"by\" : \"recover\"") && adopted.output.contains("alpine"), "\(adopted)")
        #expect(try await here.docker("wait", "later").output == "125\n", "what ran there is not known")
        #expect(try await here.skls("wait", "kept", "--for=condition=Failed").status == 0)
        #expect(try await here.skls("leaks", "list").errors == "No leaks found.\n")
        #expect(try await here.skls("recover").errors == "The store is not behind its sites: nothing to do.\n")
        // Another life finds nothing that it does not know.
        await stop(here)
        try await here.startDaemon()
        #expect(try await here.docker("start", "kept").status == 0)
        #expect(try await here.docker("wait", "kept").output == "3\n")
        #expect(try here.executions().count == executions + 1)
        #expect(try await here.skls("delete", "later", "kept", "new").status == 0)
        #expect(try await here.sites().isEmpty)
        await here.stop()
    }

    @Test func `a lost store's sites are taken over by the next one`() async throws {
        let here = try await Installation.start()
        #expect(try await here.docker("run", "-d", "--name", "job", "alpine", "true").status == 0)
        #expect(try await here.docker("wait", "job").output == "0\n")
        await stop(here)
        try FileManager.default.removeItem(atPath: here.folder + "/state")
        try await here.startDaemon()
        let site = try #require(try await here.sites().first)
        let writes = try writeCount(here)
        #expect(try await here.skls("recover").errors == "The store is not behind its sites: nothing to do.\n")
        let instance = try #require(site.tags["skls-instance"])
        let recovered = try await here.skls("recover", "--yes", "--instance", instance)
        #expect(
            recovered.output == "recovered: 0 runs given up, 0 records suspended, 1 sites adopted\n", "\(recovered)")
        #expect(try await here.skls("get", "job", "-o", "name").output == "functionapp/job\n")
        #expect(try writeCount(here) == writes)
        #expect(try here.executions().count == 1)
        await here.stop()
    }

    @Test func `started frozen, an older copy of the store does not begin what has happened already`() async throws {
        // The site's PUT is answered after 5 s: until then no run begins.
        let here = try await Installation.start(simulator: ["--site-writes", "slow", "--latency-scale", "0.2"])
        let manifest = """
            apiVersion: skls.dev/v1
            kind: FunctionApp
            metadata: {name: once}
            spec: {image: alpine, args: ["true"]}
            """
        // The copy is of the moment when the record is there and its run is not.
        _ = try await here.skls("apply", "-f", "-", input: manifest)
        await stop(here)
        try FileManager.default.copyItem(atPath: here.folder + "/state", toPath: here.folder + "/backup")
        try await here.startDaemon()
        let succeeded = try await here.skls("wait", "once", "--for=condition=Succeeded", "--timeout=60s")
        #expect(succeeded.status == 0, "\(succeeded)")
        await stop(here)
        try FileManager.default.removeItem(atPath: here.folder + "/state")
        try FileManager.default.moveItem(atPath: here.folder + "/backup", toPath: here.folder + "/state")

        try await here.startDaemon("--frozen")
        let plan = try await here.skls("recover", "--dry-run")
        #expect(plan.output.contains("functionapp/once run 1 (not begun as far as the store knows)"), "\(plan)")
        let recovered = try await here.skls("recover", "--yes")
        #expect(
            recovered.output == "recovered: 1 runs given up, 1 records suspended, 0 sites adopted\n", "\(recovered)")
        // Whoever applies the manifest again does not end the pause, and whoever ends that does not run it again.
        #expect(try await here.skls("apply", "-f", "-", input: manifest).output == "functionapp/once unchanged\n")
        #expect(try await here.skls("resume", "once").status == 0)
        let failed = try await here.skls("wait", "once", "--for=condition=Failed", "--timeout=60s")
        #expect(failed.status == 0, "\(failed)")
        #expect(try await here.skls("wait", "once", "--for=condition=Ready", "--timeout=60s").status == 0)
        #expect(try here.executions().count == 1)
        await here.stop()
    }

    private func stop(_ here: Installation) async {
        here.killDaemon()
        await here.waitForDaemon()
    }

    private func writeCount(_ here: Installation) throws -> Int {
        try here.requests().count { $0.plane == "arm" && ["PUT", "PATCH", "DELETE"].contains($0.method) }
    }
}
