import DesiredState
import Testing

@testable import APIServer

@Suite("Images, as records of references", .timeLimit(.minutes(1)))
struct ImagesTests {
    private let digest = FakeRegistry.digest

    private func pull(_ server: TestServer, _ names: String...) async throws {
        for name in names {
            #expect(try await server.request("POST", "/images/create?fromImage=\(name)&tag=latest").status == 200)
        }
    }

    private func tags(_ server: TestServer, _ filters: String = "{}") async throws -> [[JSON]] {
        let reply = try await server.request("GET", "/images/json?filters=\(filters.percentEncoded)")
        guard case .array(let images) = try JSON.parse(reply.body) else { return [] }
        return images.map { image in
            if case .array(let tags)? = image["RepoTags"] { tags } else { [] }
        }
    }

    @Test("what was pulled is listed once per image, with all its names")
    func list() async throws {
        try await TestServer.with { server in
            #expect(try await tags(server) == [])
            // The fake registry gives all images one digest.
            try await pull(server, "alpine", "busybox")
            #expect(try await tags(server) == [["alpine:latest", "busybox:latest"]])
            for (filters, count) in [
                (#"{"reference":["alp*"]}"#, 1), (#"{"reference":["alpine:l?test"]}"#, 1),
                (#"{"reference":["*/alpine"]}"#, 0), (#"{"dangling":["true"]}"#, 0), (#"{"dangling":{"0":true}}"#, 1),
                (#"{"label":["x"]}"#, 0), (#"{"label!":["x"]}"#, 1), (#"{"until":["24h"]}"#, 0),
                (#"{"before":["alpine"]}"#, 0),
            ] {
                #expect(try await tags(server, filters).count == count, "\(filters)")
            }
            for filters in [#"{"x":["y"]}"#, #"{"dangling":["perhaps"]}"#, #"{"since":["nope"]}"#] {
                let reply = try await server.request("GET", "/images/json?filters=\(filters.percentEncoded)")
                #expect((400...404).contains(reply.status), "\(filters)")
            }
        }
    }

    @Test("an image is found by name, digest, id and the beginning of its id")
    func find() async throws {
        try await TestServer.with { server in
            try await pull(server, "alpine")
            let hex = String(digest.dropFirst("sha256:".count))
            for name in [
                "alpine", "alpine:latest", "docker.io/library/alpine", "alpine@\(digest)", digest, hex,
                String(hex.prefix(12)),
            ] {
                let reply = try await server.request("GET", "/images/\(name)/json")
                #expect(reply.status == 200, "\(name)")
                #expect(try JSON.parse(reply.body)["Id"] == .string(digest))
            }
            #expect(
                try await server.request("GET", "/images/nope/json").body
                    == "{\"message\":\"No such image: nope:latest\"}")
            #expect(try await server.request("GET", "/images/alpine/history").body.contains("\"alpine:latest\""))
        }
    }

    @Test("a tag is a name for what its registry calls otherwise, and containers of it are of that")
    func tag() async throws {
        try await TestServer.with { server in
            try await pull(server, "alpine")
            #expect(try await server.request("POST", "/images/alpine/tag?repo=my/tool&tag=v1").status == 201)
            #expect(try await server.request("POST", "/images/nope/tag?repo=x").status == 404)
            #expect(try await server.request("POST", "/images/alpine/tag?repo=UPPER").status == 400)
            #expect(try await tags(server) == [["alpine:latest", "my/tool:v1"]])
            let reply = try await server.request(
                "POST", "/containers/create?name=job", body: #"{"Image":"my/tool:v1","Cmd":["true"]}"#)
            #expect(reply.status == 201)
            #expect(try await server.record("job")?.spec.image.canonical == "docker.io/library/alpine:latest")
            let byID = try await server.request(
                "POST", "/containers/create", body: "{\"Image\":\"\(digest)\",\"Cmd\":[\"true\"]}")
            #expect(byID.status == 201)
        }
    }

    @Test("removing takes the name, and the image with its last one, by moby's conflicts")
    func remove() async throws {
        try await TestServer.with { server in
            try await pull(server, "alpine")
            _ = try await server.request("POST", "/images/alpine/tag?repo=other")
            let both = try await server.request("DELETE", "/images/\(digest)")
            #expect(both.status == 409 && both.body.contains("image is referenced in multiple repositories"))
            #expect(
                try await server.request("DELETE", "/images/other").body == #"[{"Untagged":"other:latest"}]"#)
            let id = try await server.create(["hold"])
            let used = try await server.request("DELETE", "/images/alpine")
            #expect(used.status == 409)
            #expect(used.body.contains("unable to remove repository reference \\\"alpine\\\" (must force)"))
            #expect(try await server.request("DELETE", "/images/\(digest)").body.contains("stopped container"))
            #expect(try await server.request("POST", "/containers/\(id)/start").status == 204)
            let running = try await server.request("DELETE", "/images/\(digest)?force=1")
            #expect(running.status == 409 && running.body.contains("(cannot be forced)"))
            #expect(try await server.request("DELETE", "/containers/\(id)?force=1").status == 204)
            let gone = try await server.request("DELETE", "/images/alpine")
            #expect(
                gone.body
                    == "[{\"Untagged\":\"alpine:latest\"},{\"Untagged\":\"alpine@\(digest)\"},{\"Deleted\":\"\(digest)\"}]"
            )
            #expect(try await server.request("DELETE", "/images/alpine").status == 404)
            let actions = try await server.store.events(after: 0, since: nil, limit: 99).filter { $0.subject == .image }
            #expect(actions.map(\.action) == ["pull", "tag", "untag", "pull", "untag", "delete"])
        }
    }

    @Test("prune takes what no container uses, when it is asked for more than dangling ones")
    func prune() async throws {
        try await TestServer.with { server in
            try await pull(server, "alpine")
            let nothing = #"{"ImagesDeleted":null,"SpaceReclaimed":0}"#
            #expect(try await server.request("POST", "/images/prune").body == nothing)
            let all = "filters=" + #"{"dangling":["false"]}"#.percentEncoded
            let id = try await server.create(["true"])
            #expect(try await server.request("POST", "/images/prune?\(all)").body == nothing)
            #expect(try await server.request("DELETE", "/containers/\(id)").status == 204)
            #expect(
                try await server.request("POST", "/images/prune?\(all)").body.contains("\"Untagged\":\"alpine:latest\"")
            )
            #expect(try await server.store.images().isEmpty)
            #expect(try await server.request("POST", "/images/prune?filters=%7B%22x%22%3A%5B%5D%7D").status == 400)
        }
    }

    @Test("an image that no registry was asked for has an id of its own")
    func unchecked() {
        let image = ImageRecord(canonical: "docker.io/library/a:latest", digest: nil, pulledAt: .now)
        let tag = ImageRecord(
            canonical: "docker.io/library/b:latest", digest: nil, pulledAt: .now, source: image.canonical)
        #expect(image.id.hasPrefix("sha256:") && image.id.count == 71)
        #expect(image.id == tag.id)
        #expect(ImageCatalog([image, tag]).entries.count == 1)
    }

    @Test("patterns stop at slashes")
    func globs() {
        for (pattern, text, isMatch) in [
            ("*", "alpine", true), ("*", "a/b", false), ("*/*", "a/b", true), ("a*e:?", "alpine:3", true),
            ("", "", true),
            ("**", "x", true), ("?", "/", false), ("a", "ab", false),
        ] {
            #expect(Glob.matches(pattern, text) == isMatch, "\(pattern) \(text)")
        }
    }
}
