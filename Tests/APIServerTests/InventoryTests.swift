import DesiredState
import Foundation
import Testing

@testable import APIServer
@testable import RecordsClient

@Suite("Inventories and pruning", .timeLimit(.minutes(2)))
struct InventoryTests {
    private func manifests(_ names: String...) throws -> [Manifest] {
        try names.flatMap { try Manifest.parse(yaml: manifest($0, ["hold"])) }
    }

    private func plan(
        _ client: RecordsClient, _ manifests: [Manifest], _ inventory: String = "team", allowsEmpty: Bool = false
    ) async throws -> PruningApply {
        try PruningApply(
            manifests: manifests, inventory: try await client.inventory(inventory), allowsEmpty: allowsEmpty)
    }

    private func living(_ server: TestServer) async throws -> [String] {
        try await server.store.list(includingDeleted: false).records.map(\.metadata.name.text)
    }

    @Test("what the manifests no longer name is deleted after all else was applied")
    func prune() async throws {
        try await TestServer.with { server in
            let client = RecordsClient(socketPath: server.socketPath)
            _ = try await client.apply(try manifests("stranger")[0])
            try await plan(client, try manifests("a", "b", "c")).run(with: client) { _ in }
            var told: [String] = []
            try await plan(client, try manifests("b", "d")).run(with: client) { result in
                switch result {
                case .applied(let outcome, let record): told.append("\(record.metadata.name) \(outcome)")
                case .pruned(let entry): told.append("\(entry.name) pruned")
                case .gone(let entry): told.append("\(entry.name) gone")
                }
            }
            #expect(told == ["b unchanged", "d created", "c pruned", "a pruned"])
            #expect(try await living(server) == ["stranger", "b", "d"])
        }
    }

    @Test("a client that ends at any point forgets nothing, and the next one finishes its work")
    func killed() async throws {
        struct Killed: Error {}
        // Two creations, one that is left as it is, and two deletions: five results to end at.
        for point in 0...5 {
            try await TestServer.with { server in
                let client = RecordsClient(socketPath: server.socketPath)
                try await plan(client, try manifests("old1", "kept", "old2")).run(with: client) { _ in }
                let wanted = try manifests("kept", "new1", "new2")
                var left = point
                do {
                    try await plan(client, wanted).run(with: client) { _ in
                        if left == 0 { throw Killed() }
                        left -= 1
                    }
                } catch is Killed {}
                let listed = Set(try await server.store.inventory("team").map(\.name.text))
                let present = try await server.store.list(includingDeleted: true).records.map(\.metadata.name.text)
                #expect(listed.isSuperset(of: present), "ended at \(point): \(present) is there, \(listed) is listed")
                try await plan(client, wanted).run(with: client) { _ in }
                #expect(try await living(server).sorted() == ["kept", "new1", "new2"], "ended at \(point)")
            }
        }
    }

    @Test("an apply that fails prunes nothing")
    func failedApply() async throws {
        try await TestServer.with { server in
            let client = RecordsClient(socketPath: server.socketPath)
            try await plan(client, try manifests("a", "b")).run(with: client) { _ in }
            var stale = try manifests("b")
            stale[0].resourceVersion = Revision(1_000_000)
            let next = try await plan(client, stale)
            #expect(next.prunes.map(\.name.text) == ["a"])
            let error = await #expect(throws: RecordsClientError.self) { try await next.run(with: client) { _ in } }
            #expect(error?.code == .conflict)
            #expect(try await living(server) == ["a", "b"])
        }
    }

    @Test("a record of two inventories is not pruned by one of them, also when the other came after the look")
    func shared() async throws {
        try await TestServer.with { server in
            let client = RecordsClient(socketPath: server.socketPath)
            try await plan(client, try manifests("a", "b")).run(with: client) { _ in }
            let before = try await plan(client, try manifests("b"))
            try await plan(client, try manifests("a"), "other").run(with: client) { _ in }
            let error = await #expect(throws: RecordsClientError.self) { try await before.run(with: client) { _ in } }
            #expect(error?.code == .conflict)
            #expect(
                error?.description == "functionapp/a stands in the inventory other, too, so it is not pruned")
            let early = await #expect(throws: RecordsClientError.self) { try await plan(client, try manifests("b")) }
            #expect(early?.description == error?.description)
            let stranger = await #expect(throws: RecordsClientError.self) {
                try await client.delete("b", inventory: "other")
            }
            #expect(stranger?.description == "functionapp/b does not stand in the inventory other")
            #expect(try await living(server) == ["a", "b"])
        }
    }

    @Test("without manifests everything is pruned only on request")
    func empty() async throws {
        try await TestServer.with { server in
            let client = RecordsClient(socketPath: server.socketPath)
            try await plan(client, try manifests("a")).run(with: client) { _ in }
            let error = await #expect(throws: RecordsClientError.self) { try await plan(client, []) }
            #expect(error?.description.contains("--allow-empty") == true)
            try await plan(client, [], allowsEmpty: true).run(with: client) { _ in }
            #expect(try await living(server).isEmpty)
        }
    }

    @Test("what is being deleted already needs no pruning, and what came last goes first")
    func plans() throws {
        func entry(_ name: String, _ number: Int, isBeingDeleted: Bool = false) throws -> Inventory.Entry {
            Inventory.Entry(
                name: try #require(RecordName(name)), uid: .test(number), isBeingDeleted: isBeingDeleted, alsoIn: [])
        }
        let inventory = Inventory(
            name: "team",
            entries: [
                try entry("web", 1, isBeingDeleted: true), try entry("a", 2), try entry("web", 3), try entry("b", 4),
            ])
        let plan = try PruningApply(manifests: try manifests("web"), inventory: inventory, allowsEmpty: false)
        #expect(plan.prunes.map(\.uid) == [.test(4), .test(2)])
        let nothing = Inventory(name: "team", entries: [try entry("web", 1, isBeingDeleted: true)])
        #expect(try PruningApply(manifests: [], inventory: nothing, allowsEmpty: false).steps.isEmpty)
    }
}

@Suite("The command line's outputs", .enabled(if: SklsProgram.path != nil), .timeLimit(.minutes(1)))
struct CommandLineOutputTests {
    @Test("apply --prune shows its plan, and inventories list what there is")
    func prune() async throws {
        try await TestServer.with { server in
            let two = manifest("a", ["hold"]) + "\n---\n" + manifest("b", ["hold"])
            #expect(
                try await server.skls("apply", "-f", "-", "--inventory", "team", input: two).output
                    == "functionapp/a created\nfunctionapp/b created\n")
            #expect(
                try await server.skls("inventories").output == "NAME  RECORDS  DELETING\nteam  2        0\n")
            #expect(
                try await server.skls("inventories", "team").output
                    == "NAME  STATE   ALSO IN\na     Listed  -\nb     Listed  -\n")
            let one = manifest("b", ["hold"])
            let dry = try await server.skls(
                "apply", "-f", "-", "--inventory", "team", "--prune", "--prune-dry-run", input: one)
            #expect(dry.output == "functionapp/b would be applied\nfunctionapp/a would be pruned\n")
            let pruned = try await server.skls("apply", "-f", "-", "--inventory=team", "--prune", input: one)
            #expect(pruned.errors == "Will delete from the inventory team: a\n")
            #expect(pruned.output == "functionapp/b unchanged\nfunctionapp/a pruned\n")
            let empty = try await server.skls("apply", "-f", "-", "--inventory=team", "--prune", input: "")
            #expect(empty.exitCode == 1)
            #expect(
                empty.errors
                    == "error: there are no manifests, so all 1 records of the inventory team would be deleted; say --allow-empty if that is meant\n"
            )
            let usage = try await server.skls("apply", "-f", "-", "--prune", input: one)
            #expect(usage.exitCode == 2)
            #expect(usage.errors.hasPrefix("Error: --prune needs --inventory NAME\n"))
            let none = try await server.skls("inventories", "none")
            #expect(none.errors == "No records in the inventory none.\n")
        }
    }

    @Test("selectors, formats, pause and resume")
    func formats() async throws {
        try await TestServer.with { server in
            let labelled = manifest("a", ["hold"]).replacing("name: a", with: "name: a\n  labels: {app: web}")
            let applied = try await server.skls("apply", "-f", "-", "--format", "json", input: labelled)
            #expect(applied.output == "{\"kind\":\"FunctionApp\",\"name\":\"a\",\"result\":\"created\"}\n")
            _ = try await server.skls("apply", "-f", "-", input: manifest("b", ["hold"]))
            #expect(try await server.skls("get", "-l", "app=web", "-o", "name").output == "functionapp/a\n")
            #expect(try await server.skls("get", "-l", "!app", "-o", "name").output == "functionapp/b\n")
            #expect(
                try await server.skls("get", "--field-selector", "metadata.name=b", "-o", "name").output
                    == "functionapp/b\n")
            let faulty = try await server.skls("get", "-l", "app in web")
            #expect(faulty.exitCode == 1)
            #expect(faulty.errors == "error: label selector \"app in web\": ( should stand before \"web\"\n")
            let wide = try await server.skls("get", "a", "-o", "wide").output
            #expect(wide.contains("UID") && wide.contains("GENERATION") && wide.contains("NEXT"))
            let paused = try await server.skls("pause", "a", "--for", "2h", "--by", "ann", "--reason", "maintenance")
            #expect(paused.output.wholeMatch(of: /functionapp\/a paused until 20[-0-9]+T[:0-9]+Z\n/) != nil)
            #expect(try await server.skls("get", "a").output.contains("Paused"))
            #expect(try await server.skls("get", "a", "-o", "yaml").output.contains("reason: maintenance"))
            #expect(try await server.skls("resume", "a").output == "functionapp/a resumed\n")
            #expect(try await server.skls("resume", "a").output == "functionapp/a was not paused\n")
            #expect(try await server.skls("pause", "a", "--for", "soon").exitCode == 2)
            #expect(try await server.skls("get", "a", "-l", "x").exitCode == 2)
            let missing = try await server.skls("pause", "nobody")
            #expect(missing.errors == "error: functionapps \"nobody\" not found\n")
        }
    }
}
