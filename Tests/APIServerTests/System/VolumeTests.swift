import DesiredState
import Testing

@testable import APIServer

/// Volumes over the wire; what a share is, is tested elsewhere.
@Suite("Volumes over the wire", .timeLimit(.minutes(1)))
struct VolumeTests {
    @Test("a volume is made, shown, filtered and removed")
    func life() async throws {
        try await TestServer.with(hasVolumes: true) { server in
            let made = try await server.request(
                "POST", "/volumes/create",
                body: #"{"Name":"v1","Labels":{"team":"a"},"DriverOpts":{"size":"5g"}}"#)
            #expect(made.status == 201)
            let volume = try JSON.parse(made.body)
            #expect(volume["Name"] == "v1" && volume["Driver"] == "local" && volume["Scope"] == "local")
            #expect(volume["Labels"] == ["team": "a"] && volume["Options"] == ["size": "5g"])
            #expect(volume["Status"]?["Share"] == "share-v1" && volume["Status"]?["Phase"] == "Ready")
            let again = try await server.request("POST", "/volumes/create", body: #"{"Name":"v1","Labels":{"b":"c"}}"#)
            #expect(again.status == 201 && again.body == made.body)
            #expect(try await server.request("GET", "/volumes/v1").body == made.body)
            #expect(try await server.request("POST", "/volumes/create", body: "{}").status == 201)
            for (filters, count) in [
                ("{}", 2), (#"{"name":["v"]}"#, 1), (#"{"label":["team=a"]}"#, 1), (#"{"label":["team=b"]}"#, 0),
                (#"{"driver":["local"]}"#, 2), (#"{"driver":["x"]}"#, 0), (#"{"dangling":["true"]}"#, 2),
                (#"{"dangling":["false"]}"#, 0),
            ] {
                let list = try JSON.parse(
                    try await server.request("GET", "/volumes?filters=\(filters.percentEncoded)").body)
                guard case .array(let volumes)? = list["Volumes"] else {
                    Issue.record("no list")
                    continue
                }
                #expect(volumes.count == count, "\(filters)")
            }
            #expect(try await server.request("DELETE", "/volumes/v1").status == 204)
            #expect(try await server.request("DELETE", "/volumes/v1").status == 404)
            #expect(try await server.request("DELETE", "/volumes/v1?force=1").status == 204)
            let pruned = try JSON.parse(try await server.request("POST", "/volumes/prune").body)
            guard case .array(let names)? = pruned["VolumesDeleted"] else {
                Issue.record("nothing was pruned")
                return
            }
            #expect(names.count == 1, "the one without a name")
        }
    }

    @Test(
        "what cannot be is refused in Docker's words",
        arguments: [
            (#"{"Name":"x"}"#, 400, "create x: volume name is too short"),
            (#"{"Name":"a b"}"#, 400, "includes invalid characters for a local volume name"),
            (
                #"{"Name":"v1","Driver":"other"}"#, 404,
                #"create v1: error looking up volume plugin other: plugin \"other\" not found"#
            ),
            (#"{"Name":"v1","DriverOpts":{"foo":"bar"}}"#, 400, #"create v1: invalid option: \"foo\""#),
            (#"{"Name":"v1","DriverOpts":{"size":"lots"}}"#, 400, "invalid size"),
            (#"{"Name":"v1","DriverOpts":{"type":"nfs"}}"#, 501, "the option type is not supported"),
            (#"{"Name":"v1","Labels":["a"]}"#, 400, "Labels"), (#"{"Name":1}"#, 400, "Name"),
            (#"{"Name":"v1","ClusterVolumeSpec":{"Group":"g"}}"#, 501, "swarm"),
            (#"{"Name":"refused"}"#, 500, "Forbidden"), (#"{"Name":"foreign"}"#, 409, "not ours"),
            ("[null, null]", 400, "must be an object, not array"),
        ])
    func refusals(body: String, status: Int, words: String) async throws {
        try await TestServer.with(hasVolumes: true) { server in
            let reply = try await server.request("POST", "/volumes/create", body: body)
            #expect(reply.status == status && reply.body.contains(words), "\(reply.body)")
            #expect(try await server.store.volumes().isEmpty)
        }
    }

    @Test("a container makes the volumes that it mounts, shows them, and keeps them in use")
    func mounts() async throws {
        try await TestServer.with(hasVolumes: true) { server in
            try await server.request("POST", "/images/create?fromImage=alpine&tag=latest")
            let reply = try await server.request(
                "POST", "/containers/create?name=job",
                body:
                    #"{"Image":"alpine","Cmd":["true"],"Volumes":{"/own":{}},"HostConfig":{"Binds":["v1:/data"],"Mounts":[{"Type":"volume","Source":"v2","Target":"/two"}]}}"#
            )
            #expect(reply.status == 201, "\(reply.body)")
            let record = try #require(try await server.record("job"))
            #expect(record.spec.volumes.map(\.mountPath) == ["/data", "/two", "/own"])
            let volumes = try await server.store.volumes()
            #expect(volumes.count == 3 && volumes.allSatisfy { $0.endsWith == nil })
            #expect(volumes.filter(\.isAnonymous).map(\.name) == [record.spec.volumes[2].name])
            let inspected = try JSON.parse(try await server.request("GET", "/containers/job/json").body)
            guard case .array(let mounts)? = inspected["Mounts"] else {
                Issue.record("no mounts")
                return
            }
            #expect(mounts.map { $0["Destination"] } == ["/data", "/two", "/own"])
            #expect(mounts.map { $0["Mode"] } == ["z", "z", ""])
            #expect(mounts.allSatisfy { $0["Type"] == "volume" && $0["RW"] == true && $0["Driver"] == "local" })
            for (filter, count) in [("v1", 1), ("/two", 1), ("v9", 0)] {
                let filters = #"{"volume":["\#(filter)"]}"#.percentEncoded
                let list = try JSON.parse(
                    try await server.request("GET", "/containers/json?all=1&filters=\(filters)").body)
                #expect((list == []) == (count == 0), "\(filter)")
            }
            let refused = try await server.request("DELETE", "/volumes/v1?force=1")
            #expect(refused.status == 409 && refused.body.contains("volume is in use - [\(record.uid)]"))
            let usage = try JSON.parse(try await server.request("GET", "/system/df?type=volume").body)
            #expect(usage.text.contains("\"RefCount\":1"))
            #expect(try await server.request("DELETE", "/containers/job?v=1").status == 204)
            // The one of its own goes with it, and is not seen from now on.
            let left = try await server.store.volumes().filter { $0.endsWith == record.uid }
            #expect(left.map(\.name) == [record.spec.volumes[2].name])
            let list = try await server.request("GET", "/volumes").body
            #expect(
                list.contains("\"v1\"") && list.contains("\"v2\"") && !list.contains(record.spec.volumes[2].name.text))
        }
    }

    @Test("without v, and with a name, volumes stay")
    func staying() async throws {
        try await TestServer.with(hasVolumes: true) { server in
            try await server.request("POST", "/images/create?fromImage=alpine&tag=latest")
            for (name, query) in [("first", ""), ("second", "?v=1")] {
                let body =
                    name == "first"
                    ? #"{"Image":"alpine","Cmd":["true"],"Volumes":{"/own":{}}}"#
                    : #"{"Image":"alpine","Cmd":["true"],"HostConfig":{"Binds":["named:/data"]}}"#
                #expect(try await server.request("POST", "/containers/create?name=\(name)", body: body).status == 201)
                #expect(try await server.request("DELETE", "/containers/\(name)\(query)").status == 204)
            }
            #expect(try await server.store.volumes().allSatisfy { $0.endsWith == nil })
            #expect(try await server.store.volumes().count == 2)
        }
    }

    @Test("a name that is taken makes no volumes, and one that removes itself has volumes that end with it")
    func names() async throws {
        try await TestServer.with(hasVolumes: true) { server in
            try await server.request("POST", "/images/create?fromImage=alpine&tag=latest")
            let body = #"{"Image":"alpine","Cmd":["true"],"Volumes":{"/own":{}},"HostConfig":{"AutoRemove":true}}"#
            #expect(try await server.request("POST", "/containers/create?name=job", body: body).status == 201)
            let uid = try #require(try await server.record("job")).uid
            #expect(try await server.store.volumes().map(\.endsWith) == [uid])
            #expect(try await server.request("POST", "/containers/create?name=job", body: body).status == 409)
            #expect(try await server.store.volumes().count == 1)
        }
    }

    @Test("a volume that Azure refuses makes no container")
    func refusedMount() async throws {
        try await TestServer.with(hasVolumes: true) { server in
            try await server.request("POST", "/images/create?fromImage=alpine&tag=latest")
            let body = #"{"Image":"alpine","Cmd":["true"],"HostConfig":{"Binds":["refused:/data"]}}"#
            let reply = try await server.request("POST", "/containers/create?name=job", body: body)
            #expect(reply.status == 500 && reply.body.contains("Forbidden"))
            #expect(try await server.record("job") == nil)
        }
    }

    @Test("where there are none, mounts are refused by name, and capabilities follow the configuration")
    func none() async throws {
        try await TestServer.with { server in
            try await server.request("POST", "/images/create?fromImage=alpine&tag=latest")
            let body = #"{"Image":"alpine","Cmd":["true"],"HostConfig":{"Binds":["v1:/data"]}}"#
            let reply = try await server.request("POST", "/containers/create", body: body)
            #expect(reply.status == 501 && reply.body.contains("SKLS_VOLUMES_ACCOUNT"))
        }
        for (hasVolumes, policy, expected) in [
            (true, APIServerConfiguration.SessionPolicy.asProvided, true), (true, .off, false),
            (false, .asProvided, false),
        ] {
            try await TestServer.with(policy: policy, hasVolumes: hasVolumes) { server in
                let told = try JSON.parse(try await server.request("GET", "/internal/v1/capabilities").body)
                #expect(told["capabilities"]?["volumes"] == .bool(expected))
                let made = try await server.request("POST", "/internal/v1/volumes", body: #"{"Name":"v1"}"#)
                #expect(made.status == (expected ? 201 : 501))
                #expect(
                    try await server.request("POST", "/volumes/create", body: #"{"Name":"v1"}"#).status == made.status)
            }
        }
    }

    @Test("a manifest's volumes are made before its record, and refused where there are none")
    func manifests() async throws {
        let manifest = """
            {"apiVersion":"skls.dev/v1","kind":"FunctionApp","metadata":{"name":"web"},
            "spec":{"image":"alpine","args":["true"],"volumes":[{"name":"data","mountPath":"/data"}]}}
            """
        let path = "/apis/skls.dev/v1/functionapps/web"
        try await TestServer.with(hasVolumes: true) { server in
            #expect(try await server.request("PUT", path, body: manifest).status == 201)
            let record = try #require(try await server.record("web"))
            #expect(record.spec.volumes.map { $0.name.text } == ["data"])
            #expect(try await server.request("DELETE", "/volumes/data").status == 409)
            #expect(try await server.request("PUT", path, body: manifest).status == 200)
        }
        try await TestServer.with { server in
            let reply = try await server.request("PUT", path, body: manifest)
            #expect(reply.status == 422 && reply.body.contains("SKLS_VOLUMES_ACCOUNT"))
            #expect(try await server.record("web") == nil)
        }
    }
}
