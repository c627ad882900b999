import DesiredState
import Foundation
import RecordsClient
import Testing

@testable import APIServer

@Suite("Lists, watches and conditions of the records API", .timeLimit(.minutes(1)))
struct SelectionTests {
    private let path = "/apis/skls.dev/v1/functionapps"

    private func put(_ server: TestServer, _ name: String, labels: String = "{}") async throws {
        let text = manifest(name, ["hold"]).replacing("name: \(name)", with: "name: \(name)\n  labels: \(labels)")
        let reply = try await server.request("PUT", path + "/" + name, body: text, type: "application/yaml")
        #expect((200..<300).contains(reply.status), "\(reply.body)")
    }

    private func names(_ body: String) throws -> [String] {
        try JSONDecoder().decode(ListReply.self, from: Data(body.utf8)).items.map(\.metadata.name.text)
    }

    private struct ListReply: Decodable {
        struct Metadata: Decodable {
            let resourceVersion: Revision
            let `continue`: String?
        }
        let metadata: Metadata
        let items: [FunctionApp]
    }

    @Test("selectors narrow a list, and faulty ones are told")
    func selectors() async throws {
        try await TestServer.with { server in
            try await put(server, "a", labels: "{app: web, tier: front}")
            try await put(server, "b", labels: "{app: web}")
            try await put(server, "c")
            for (query, expected) in [
                ("labelSelector=app%3Dweb", ["a", "b"]), ("labelSelector=!app", ["c"]),
                ("labelSelector=app+in+(web),tier!%3Dfront", ["b"]), ("fieldSelector=metadata.name%3Dc", ["c"]),
                ("labelSelector=app&fieldSelector=metadata.name!%3Da", ["b"]), ("fieldSelector=Failed%3DTrue", []),
            ] {
                let reply = try await server.request("GET", path + "?" + query)
                #expect(try names(reply.body) == expected, "\(query)")
            }
            let faulty = try await server.request("GET", path + "?labelSelector=a+b")
            #expect(faulty.status == 400)
            #expect(faulty.body.contains("should stand before"))
            #expect(try await server.request("GET", path + "?watch=1&fieldSelector=x%3Dy").status == 400)
        }
    }

    @Test("a list in pages is whole and of one revision, and expires when it can no longer be watched from there")
    func pages() async throws {
        try await TestServer.with { server in
            for index in 0..<7 { try await put(server, "r\(index)", labels: "{even: '\(index % 2 == 0)'}") }
            func page(_ query: String) async throws -> ListReply {
                let reply = try await server.request("GET", path + "?" + query)
                return try JSONDecoder().decode(ListReply.self, from: Data(reply.body.utf8))
            }
            let first = try await page("limit=3")
            var all = first.items.map(\.metadata.name.text)
            try await put(server, "later")
            var next = first.metadata.continue
            while let token = next {
                let more = try await page("limit=3&continue=\(token)")
                #expect(more.metadata.resourceVersion == first.metadata.resourceVersion)
                all += more.items.map(\.metadata.name.text)
                next = more.metadata.continue
            }
            #expect(all == ["r0", "r1", "r2", "r3", "r4", "r5", "r6", "later"])
            let even = try await page("limit=2&labelSelector=even%3Dtrue")
            #expect(even.items.map(\.metadata.name.text) == ["r0", "r2"])
            let rest = try await page("limit=9&labelSelector=even%3Dtrue&continue=\(even.metadata.continue ?? "")")
            #expect(rest.items.map(\.metadata.name.text) == ["r4", "r6"])
            #expect(rest.metadata.continue == nil)

            for query in ["limit=x", "limit=-1", "continue=nonsense", "continue=MS4wLjA"] {
                #expect(try await server.request("GET", path + "?" + query).status == 400, "\(query)")
            }
            // A token from a store that was further: as after the loss of its newest commits.
            let token = ListToken(revision: Revision(1_000_000), position: RecordPosition(2)).text
            let expired = try await server.request("GET", path + "?limit=3&continue=\(token)")
            #expect(expired.status == 410)
            #expect(expired.body.contains("\"reason\":\"Expired\""))
            let other = try #require(expired.body.firstMatch(of: /"continue":"([^"]+)"/)).1
            let mixed = try await page("limit=3&continue=\(other)")
            #expect(mixed.items.map(\.metadata.name.text) == ["r2", "r3", "r4"])
            #expect(mixed.metadata.resourceVersion > first.metadata.resourceVersion)
        }
    }

    @Test("a watch with a selector tells what begins to match and what matches no longer")
    func watch() async throws {
        var limits = APIServerConfiguration.Limits()
        limits.bookmarkInterval = .milliseconds(20)
        try await TestServer.with(limits: limits) { server in
            try await put(server, "a", labels: "{app: web}")
            try await put(server, "b")
            let socketPath = server.socketPath
            try await RawClient.with(socketPath) { session in
                try await session.send(
                    "GET \(path)?watch=1&labelSelector=app%3Dweb HTTP/1.1\r\nHost: x\r\n\r\n")
                let start = try await session.read(through: "BOOKMARK")
                #expect(start.contains("\"name\":\"a\"") && !start.contains("\"name\":\"b\""))
                try await put(server, "b", labels: "{app: web}")
                #expect(try await session.read(through: "\"name\":\"b\"").contains("\"type\":\"ADDED\""))
                try await put(server, "b", labels: "{app: db}")
                _ = try await session.read(through: "\"type\":\"DELETED\"")
                #expect(try await session.read(through: "}\n").contains("\"name\":\"b\""))
                try await put(server, "b", labels: "{app: db, x: y}")
                try await put(server, "c", labels: "{app: web}")
                let next = try await session.read(through: "\"name\":\"c\"")
                #expect(!next.contains("\"name\":\"b\""), "told once that it is gone")
            }
        }
    }

    @Test("entity tags and preconditions")
    func preconditions() async throws {
        try await TestServer.with { server in
            // Else the controller's write of the run moves the tag behind the test's back.
            try await server.controller.setHoldsBack(true)
            try await put(server, "a")
            let read = try await server.request("GET", path + "/a")
            let tag = try #require(read.headers["etag"])
            let record = try #require(try await server.record("a"))
            let same = try await server.request("GET", path + "/a", headers: "If-None-Match: \(tag)\r\n")
            #expect(same.status == 304)
            let text = manifest("a", ["hold"], more: "  workingDir: /tmp")
            let moved = try await server.request(
                "PUT", path + "/a", body: text, type: "application/yaml", headers: "If-Match: \"1000000\"\r\n")
            #expect(moved.status == 412)
            for query in ["?resourceVersion=1000000", "?uid=\(UID.test(1))"] {
                #expect(try await server.request("DELETE", path + "/a" + query).status == 409, "\(query)")
            }
            let body = "{\"preconditions\":{\"uid\":\"\(UID.test(1))\"}}"
            #expect(try await server.request("DELETE", path + "/a", body: body).status == 409)
            #expect(try await server.request("DELETE", path + "/a?uid=x").status == 400)
            #expect(
                try await server.request("DELETE", path + "/a", headers: "If-Match: \"1000000\"\r\n").status == 412)
            let put = try await server.request(
                "PUT", path + "/none", body: manifest("none", ["hold"]), type: "application/yaml",
                headers: "If-Match: *\r\n")
            #expect(put.status == 412)
            let right = try await server.request("DELETE", path + "/a?uid=\(record.uid)")
            #expect(right.status == 202)
        }
    }

    @Test("a pause is written by itself, has an author and an end, and survives an apply that does not speak of it")
    func pause() async throws {
        try await TestServer.with { server in
            let client = RecordsClient(socketPath: server.socketPath)
            let plain = try #require(try Manifest.parse(yaml: manifest("web", ["hold"])).first)
            _ = try await client.apply(plain)
            let (outcome, paused) = try await client.suspend("web", by: "ann", for: .seconds(3600), reason: "move")
            #expect(outcome == .configured)
            let suspension = try #require(paused.spec.suspend)
            #expect(suspension.by == "ann" && suspension.reason == "move")
            let left = try #require(suspension.until) - Instant.now
            #expect(left > .seconds(3000) && left <= .seconds(3600))
            #expect(try await client.apply(plain).0 == .unchanged)
            var other = plain
            other.spec.workingDir = "/tmp"
            #expect(try await client.apply(other).1.spec.suspend == suspension)
            #expect(try await client.resume("web").1.spec.suspend == nil)
            #expect(try await client.resume("web").0 == .unchanged)
            // One that a manifest asked for ends with the manifest's words.
            other.spec.suspend = Suspension(by: "file")
            #expect(try await client.apply(other).1.spec.suspend?.by == "file")
            #expect(try await client.apply(plain).1.spec.suspend == nil)
            let faulty = try await server.request("PUT", path + "/web/suspension", body: "{\"untill\":1}")
            #expect(faulty.status == 422)
            #expect(faulty.body.contains("allowed: by, forSeconds, reason, until"))
        }
    }
}
