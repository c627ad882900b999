import AgentLink
import DesiredState
import HTTPTypes
import NIOCore
import Testing

@testable import APIServer

/// Records with little to say, for tests of pure functions.
func app(
    name: String = "web", words: [String] = ["true"], invocations: Int = 0, attempts: [AttemptStatus] = [],
    change: (inout FunctionApp) -> Void = { _ in }
) throws -> FunctionApp {
    var spec = FunctionAppSpec(image: try ImageReference(parsing: "alpine"), args: words, invocations: invocations)
    spec.run.timeoutSeconds = 60
    var record = FunctionApp(
        metadata: Metadata(
            name: try #require(RecordName(name)), uid: .test(1),
            creationTimestamp: Instant(nanoseconds: 1_700_000_000_000_000_000)), spec: spec)
    record.status.runs = attempts.enumerated().map { RunStatus(number: $0.offset + 1, attempts: [$0.element]) }
    record.spec.invocations = max(invocations, attempts.count)
    change(&record)
    return record
}

func attempt(
    _ outcome: AttemptOutcome?, exitCode: Int? = nil, isStarted: Bool = true, message: String? = nil
) -> AttemptStatus {
    AttemptStatus(
        token: "t", bootID: "b", startedAt: isStarted ? Instant(nanoseconds: 1_700_000_001_000_000_000) : nil,
        finishedAt: outcome == nil ? nil : Instant(nanoseconds: 1_700_000_002_000_000_000), exitCode: exitCode,
        outcome: outcome, message: message)
}

@Suite("Records in Docker's terms")
struct MappingTests {
    @Test("the state of a container follows its last shown attempt")
    func state() throws {
        let cases: [([AttemptStatus], ContainerState.Status, Int)] = [
            ([], .created, 0),
            ([attempt(nil, isStarted: false)], .created, 0),
            ([attempt(nil)], .running, 0),
            ([attempt(.succeeded, exitCode: 0)], .exited, 0),
            ([attempt(.failed, exitCode: 7)], .exited, 7),
            ([attempt(.startFailed, exitCode: 127, isStarted: false)], .created, 127),
            ([attempt(.startFailed, isStarted: false)], .created, 128),
            ([attempt(.deadlineExceeded, exitCode: 143)], .exited, 143),
            ([attempt(.deadlineExceeded)], .exited, 137),
            ([attempt(.unknown, isStarted: false)], .exited, 125),
            ([attempt(.lost)], .exited, 125),
            ([attempt(.failed, exitCode: 7), attempt(nil, isStarted: false)], .exited, 7),
            ([attempt(.failed, exitCode: 7), attempt(nil)], .running, 0),
            ([attempt(.succeeded, exitCode: 0), attempt(.startFailed, exitCode: 126, isStarted: false)], .exited, 126),
        ]
        for (attempts, status, exitCode) in cases {
            let state = ContainerState(try app(attempts: attempts))
            #expect(state.status == status, "\(attempts)")
            #expect(state.exitCode == exitCode, "\(attempts)")
        }
        let deleting = try app { $0.metadata.deletionTimestamp = Instant(nanoseconds: 1) }
        #expect(ContainerState(deleting).status == .removing)
    }

    @Test("errors of starts hold the words that the CLI looks for")
    func startFailureTexts() throws {
        let cases: [(Int?, String?, String)] = [
            (127, "exec: \"x\": executable file not found in $PATH", "exec: \"x\": executable file not found in $PATH"),
            (127, "x", "x: executable file not found"),
            (126, "x", "x: permission denied"),
            (nil, nil, "the container did not start"),
        ]
        for (code, message, expected) in cases {
            let attempt = attempt(.startFailed, exitCode: code, isStarted: false, message: message)
            #expect(RunResult(attempt, spec: try app().spec)?.explanation == expected)
        }
    }

    @Test("a start is decided by the agent's word, the outcome, or a stalled controller that has seen the request")
    func startVerdict() throws {
        func verdict(_ attempts: [AttemptStatus], change: (inout FunctionApp) -> Void = { _ in }) throws
            -> StartVerdict?
        {
            StartVerdict(try app(invocations: 1, attempts: attempts, change: change), run: 1)
        }
        #expect(try verdict([]) == nil)
        #expect(try verdict([attempt(nil, isStarted: false)]) == nil)
        #expect(try verdict([attempt(nil)]) == .started)
        #expect(try verdict([attempt(.failed, exitCode: 1)]) == .started)
        guard case .refused(let failed) = try verdict([attempt(.startFailed, exitCode: 127, isStarted: false)]) else {
            Issue.record("a failed start must be refused")
            return
        }
        #expect(failed.status == .badRequest)
        guard case .refused(let unknown) = try verdict([attempt(.unknown, isStarted: false)]) else {
            Issue.record("an unknown outcome must be refused")
            return
        }
        #expect(unknown.status == .internalServerError)
        let stalled = Condition(
            type: .stalled, status: .true, reason: "NoPlan", message: "no plan",
            lastTransitionTime: Instant(nanoseconds: 1))
        #expect(
            try verdict([]) {
                $0.metadata.generation = 2
                $0.status.observedGeneration = 1
                $0.status.conditions = [stalled]
            } == nil)
        #expect(
            try verdict([]) {
                $0.status.observedGeneration = 1
                $0.status.conditions = [stalled]
            } == .stuck(DockerError(.internalServerError, "no plan")))
        #expect(
            try verdict([]) { $0.metadata.deletionTimestamp = Instant(nanoseconds: 1) }
                == .refused(.removedBeforeStart))
    }

    @Test("waits end as their condition says")
    func waitConditions() throws {
        let created = try app()
        let running = try app(attempts: [attempt(nil)])
        let exited = try app(attempts: [attempt(.failed, exitCode: 3)])
        #expect(WaitCondition.notRunning.end(of: created, run: 1)?.exitCode == 0)
        #expect(WaitCondition.notRunning.end(of: running, run: 1) == nil)
        #expect(WaitCondition.notRunning.end(of: exited, run: 2)?.exitCode == 3)
        #expect(WaitCondition.notRunning.end(of: try app(invocations: 1), run: 1) == nil)
        #expect(WaitCondition.nextExit.end(of: created, run: 1) == nil)
        #expect(WaitCondition.nextExit.end(of: exited, run: 2) == nil)
        #expect(WaitCondition.nextExit.end(of: exited, run: 1)?.exitCode == 3)
        #expect(WaitCondition.removed.end(of: exited, run: 1) == nil)
        #expect(try WaitCondition(nil) == .notRunning)
        #expect(throws: DockerError.badParameter("invalid condition: \"x\"")) { try WaitCondition("x") }
        let lost = try #require(WaitCondition.nextExit.end(of: try app(attempts: [attempt(.lost)]), run: 1))
        #expect(lost.exitCode == 125)
        #expect(lost.error != nil)
    }

    @Test("every failure of the store has a status in both dialects")
    func storeErrors() throws {
        let name = try #require(RecordName("web"))
        let cases: [(StoreError.Code, Int, Int)] = [
            (.notFound(.test(1)), 404, 404), (.conflict(current: .zero), 409, 409),
            (.nameTaken(name, by: .test(1)), 409, 409), (.attemptOpen, 409, 409), (.compacted(.zero), 500, 410),
            (.inUse, 503, 503), (.unavailable, 503, 503), (.damaged, 500, 500),
        ]
        for (code, docker, records) in cases {
            #expect(DockerError(StoreError(code), reference: "web").status.code == docker)
            #expect(RecordsError(StoreError(code)).status.code == records)
        }
        #expect(DockerError(StoreError(.notFound(.test(1))), reference: "web").message == "No such container: web")
    }

    @Test("every failure of live input has a status")
    func runInputErrors() {
        let cases: [(RunInputError.Code, Int)] = [
            (.notRunning, 409), (.invalidSignal, 400), (.unreachable, 503), (.gap(expected: 1), 500), (.cancelled, 500),
        ]
        for (code, status) in cases {
            let error = DockerError(RunInputError(code), signal: "HUP", reference: "web", uid: .test(1))
            #expect(error.status.code == status)
        }
    }

    @Test("inspect always has the fields that clients fail without")
    func inspect() throws {
        let json = ContainerInspect.json(try app(), imageDigest: nil)
        #expect(json["HostConfig"]?["LogConfig"]?["Type"] == "json-file")
        for name in ["Tty", "OpenStdin", "StdinOnce", "AttachStdin"] {
            #expect(json["Config"]?[name] == .bool(false), "\(name)")
        }
        #expect(json["State"]?["StartedAt"] == "0001-01-01T00:00:00Z")
        #expect(json["NetworkSettings"]?["Networks"]?["bridge"] != nil)
        #expect(json["Name"] == "/web")
        #expect(json["Created"] == "2023-11-14T22:13:20.000000000Z")
    }

    @Test("inspect gives back what create was given, over what it means")
    func inspectConfiguration() throws {
        let body = try JSON.parse(
            #"{"Image":"alpine","Cmd":["true"],"Env":["A=1"],"Hostname":"h","StopTimeout":3,"HostConfig":{"Memory":6291456,"LogConfig":{"Type":""}}}"#
        )
        let request = try CreateRequest(body: body)
        let record = request.record(name: try #require(RecordName("web")), uid: .test(1), at: Instant(nanoseconds: 0))
        let json = ContainerInspect.json(record, imageDigest: "sha256:x")
        #expect(json["Config"]?["Hostname"] == "h")
        #expect(json["Config"]?["Env"] == ["A=1"])
        #expect(json["Config"]?["StopTimeout"] == 3)
        #expect(json["HostConfig"]?["Memory"] == 6291456)
        #expect(json["HostConfig"]?["LogConfig"]?["Type"] == "json-file")
        #expect(json["Image"] == "sha256:x")
    }

    @Test(
        "time spans read as Docker writes them",
        arguments: [
            (0, "Less than a second"), (1, "1 second"), (59, "59 seconds"), (60, "About a minute"),
            (119, "About a minute"),
            (120, "2 minutes"), (3600, "About an hour"), (7200, "2 hours"), (172_800, "2 days"), (1_209_600, "2 weeks"),
            (5_184_000, "2 months"), (63_072_000, "2 years"),
        ])
    func durations(seconds: Int, text: String) {
        #expect(HumanDuration.text(.seconds(seconds)) == text)
    }

    @Test("signals are names with or without SIG, or numbers")
    func signals() throws {
        #expect(try Signal.parse("sigterm") == "TERM")
        #expect(try Signal.parse("HUP") == "HUP")
        #expect(try Signal.parse("9") == "9")
        for text in ["NOPE", "0", "", "SIG"] {
            #expect(throws: DockerError.badParameter("invalid signal: \(text)")) { try Signal.parse(text) }
        }
        for text in ["65", "-1"] {
            let refusal = DockerError.badParameter("the linux daemon does not support signal \(text)")
            #expect(throws: refusal) { try Signal.parse(text) }
        }
    }
}

@Suite("What create accepts")
struct CreateRequestTests {
    private func request(_ more: String = "", image: String = "alpine", command: String = #","Cmd":["true"]"#) throws
        -> CreateRequest
    {
        try CreateRequest(body: try JSON.parse("{\"Image\":\"\(image)\"\(command)\(more)}"))
    }

    @Test("command and entry point may be a string or a list, and one is needed")
    func commands() throws {
        #expect(try request(command: #","Cmd":"true""#).spec.args == ["true"])
        let both = try request(command: #","Cmd":["a","b"],"Entrypoint":["e"]"#).spec
        #expect(both.command == ["e"])
        #expect(both.args == ["a", "b"])
        #expect(try request(command: #","Cmd":["a"],"Entrypoint":[""]"#).spec.command == [])
        for command in ["", #","Cmd":[]"#, #","Cmd":null,"Entrypoint":[""]"#] {
            let empty = try request(command: command)
            let error = #expect(throws: DockerError.self) { try empty.checkCommand() }
            #expect(error?.status == .badRequest)
            #expect(error?.message.hasPrefix("no command specified: ") == true)
        }
    }

    @Test(
        "log drivers and their options are shown as they were asked for",
        arguments: [
            (#"{"Type":"","Config":{"max-file":"100"}}"#, #"{"Type":"json-file","Config":{"max-file":"100"}}"#),
            ("null", #"{"Type":"json-file","Config":{}}"#),
            (#"{"Type":"json-file","Config":null}"#, #"{"Type":"json-file","Config":{}}"#),
            (
                #"{"Type":"local","Config":{"max-size":"10m","mode":"non-blocking","max-buffer-size":"1 MB"}}"#,
                #"{"Type":"local","Config":{"max-size":"10m","mode":"non-blocking","max-buffer-size":"1 MB"}}"#
            ),
            (
                #"{"Type":"journald","Config":{"tag":"x","cache-disabled":"true"}}"#,
                #"{"Type":"journald","Config":{"tag":"x","cache-disabled":"true"}}"#
            ),
            (#"{"Type":"none","Config":{"foo":"1"}}"#, #"{"Type":"none","Config":{"foo":"1"}}"#),
        ])
    func logDrivers(asked: String, shown: String) throws {
        let created = try request(#","HostConfig":{"LogConfig":\#(asked)}"#)
        let record = created.record(name: try #require(RecordName("web")), uid: .test(1), at: Instant(nanoseconds: 0))
        let json = ContainerInspect.json(record, imageDigest: nil)
        #expect(try json["HostConfig"]?["LogConfig"] == JSON.parse(shown))
        #expect(record.keepsLog == !asked.contains("none"))
    }

    @Test(
        "log drivers and options that there are none of are refused in dockerd's words",
        arguments: [
            (#"{"Type":"asdf"}"#, #"error looking up logging plugin asdf: plugin "asdf" not found"#),
            (#"{"Type":"gelf"}"#, #"error looking up logging plugin gelf: plugin "gelf" not found"#),
            (#"{"Type":"","Config":{"foo":"1"}}"#, "unknown log opt 'foo' for json-file log driver"),
            (#"{"Type":"journald","Config":{"max-size":"1m"}}"#, "unknown log opt 'max-size' for journald log driver"),
            (#"{"Type":"local","Config":{"tag":"x"}}"#, "unknown log opt 'tag' for log driver local"),
            (#"{"Type":"json-file","Config":{"mode":"odd"}}"#, "logger: logging mode not supported: odd"),
            (
                #"{"Type":"json-file","Config":{"max-buffer-size":"1m"}}"#,
                "logger: max-buffer-size option is only supported with 'mode=non-blocking'"
            ),
            (
                #"{"Type":"json-file","Config":{"max-buffer-size":"x","mode":"non-blocking"}}"#,
                "error parsing option max-buffer-size: invalid size: 'x'"
            ),
        ])
    func refusedLogDrivers(asked: String, message: String) {
        #expect(throws: DockerError.badParameter(message)) {
            try request(#","HostConfig":{"LogConfig":\#(asked)}"#)
        }
    }

    @Test("what the CLI always sends is accepted without a warning")
    func defaults() throws {
        let created = try request(
            #","Tty":false,"Env":null,"Volumes":{},"HostConfig":{"Binds":null,"NetworkMode":"default","PortBindings":{},"RestartPolicy":{"Name":"no","MaximumRetryCount":0},"MemorySwappiness":-1,"LogConfig":{"Type":"","Config":{}},"ConsoleSize":[0,0],"Privileged":false,"CapAdd":null,"Devices":[],"PidsLimit":0,"MaskedPaths":null},"NetworkingConfig":{"EndpointsConfig":{"default":{"Links":null}}}"#
        )
        #expect(created.warnings.isEmpty)
        #expect(created.spec.invocations == 0)
        #expect(created.spec.run == RunPolicy())
    }

    @Test(
        "what would change the container's meaning is refused by name",
        arguments: [
            (#","HostConfig":{"Binds":["/a:/b"]}"#, "HostConfig.Binds"),
            (#","HostConfig":{"Binds":["v1:/b:ro"]}"#, "HostConfig.Binds"),
            (#","HostConfig":{"Binds":["v1:/home/b"]}"#, "/home/b"),
            (#","HostConfig":{"Binds":["v1:/1","v1:/2","v1:/3"]},"Volumes":{"/4":{},"/5":{},"/6":{}}"#, "6 mounts"),
            (#","HostConfig":{"Mounts":[{"Type":"bind","Source":"/a","Target":"/x"}]}"#, "type bind"),
            (#","HostConfig":{"Mounts":[{"Type":"tmpfs","Target":"/x"}]}"#, "type tmpfs"),
            (#","HostConfig":{"Mounts":[{"Type":"image","Target":"/x"}]}"#, "type image"),
            (#","HostConfig":{"Mounts":[{"Type":"volume","Target":"/x","ReadOnly":true}]}"#, "read-only mount on /x"),
            (
                #","HostConfig":{"Mounts":[{"Type":"volume","Target":"/x","VolumeOptions":{"Subpath":"a"}}]}"#,
                "VolumeOptions.Subpath"
            ),
            (#","HostConfig":{"VolumesFrom":["a"]}"#, "HostConfig.VolumesFrom"),
            (#","HostConfig":{"Tmpfs":{"/x":""}}"#, "HostConfig.Tmpfs"),
            (#","HostConfig":{"Privileged":true}"#, "HostConfig.Privileged"),
            (#","HostConfig":{"PortBindings":{"80/tcp":[]}}"#, "HostConfig.PortBindings"),
            (#","HostConfig":{"PublishAllPorts":true}"#, "HostConfig.PublishAllPorts"),
            (#","HostConfig":{"NetworkMode":"host"}"#, "HostConfig.NetworkMode"),
            (#","HostConfig":{"PidMode":"host"}"#, "HostConfig.PidMode"),
            (#","HostConfig":{"IpcMode":"container:x"}"#, "HostConfig.IpcMode"),
            (#","HostConfig":{"RestartPolicy":{"Name":"always"}}"#, "HostConfig.RestartPolicy"),
            (#","HostConfig":{"CapAdd":["NET_ADMIN"]}"#, "HostConfig.CapAdd"),
            (#","HostConfig":{"Devices":[{}]}"#, "HostConfig.Devices"),
            (#","Healthcheck":{"Test":["CMD","x"]}"#, "Healthcheck"),
            (#","NetworkingConfig":{"EndpointsConfig":{"mine":{}}}"#, "network \"mine\""),
            (#","hostconfig":{"privileged":true}"#, "HostConfig.Privileged"),
        ])
    func refusals(more: String, field: String) throws {
        let error = #expect(throws: DockerError.self) { try request(more) }
        #expect(error?.status == .notImplemented)
        #expect(error?.message.contains(field) == true, "\(error?.message ?? "")")
    }

    @Test("mounts of volumes are understood in all of their forms")
    func mounts() throws {
        typealias Mount = MountRequests.Mount
        let one = try #require(VolumeName("v1"))
        let all = try request(
            #","HostConfig":{"Binds":["v1:/a/","v1:/b:rw,z","/c"],"Mounts":[{"Type":"volume","Source":"v1","Target":"/d/../e","VolumeOptions":{"Labels":{"l":"x"},"DriverConfig":{"Name":"local","Options":{"size":"5g"}}}},{"Type":"volume","Target":"/f"}]},"Volumes":{"/a":{}}"#
        ).mounts
        #expect(
            all == [
                Mount(name: one, path: "/a"), Mount(name: one, path: "/b"), Mount(name: nil, path: "/c"),
                Mount(name: one, path: "/e", labels: ["l": "x"], options: ["size": "5g"]), Mount(name: nil, path: "/f"),
            ])
        #expect(try request(#","Volumes":{"/d":{}}"#).mounts == [Mount(name: nil, path: "/d")])
    }

    @Test(
        "mounts that are none are 400, in Docker's words",
        arguments: [
            (#""Binds":["v1:/a","v1:/a"]"#, "Duplicate mount point: /a"),
            (#""Binds":["v1:/a:zz"]"#, "invalid mode: zz"),
            (#""Binds":["v1:a"]"#, "invalid volume specification: 'v1:a': invalid mount config"),
            (#""Binds":["v1:/"]"#, "destination can't be '/'"),
            (#""Binds":["a:b:c:d"]"#, "invalid volume specification"),
            (#""Binds":["v1::rw"]"#, "invalid volume specification"),
            (#""Binds":["x:/a"]"#, "volume name is too short"),
            (#""Binds":["./x:/a"]"#, "includes invalid characters for a local volume name"),
            (#""Mounts":[{"Type":"volume"}]"#, "field Target must not be empty"),
            (#""Mounts":[{"Type":"volume","Target":"a"}]"#, "mount path must be absolute"),
            (#""Mounts":[1]"#, "Mounts"),
            (
                #""Mounts":[{"Type":"volume","Target":"/a","VolumeOptions":{"DriverConfig":{"Options":{"foo":"x"}}}}]"#,
                "invalid option: \"foo\""
            ),
        ])
    func badMounts(host: String, words: String) throws {
        let error = #expect(throws: DockerError.self) { try request(#","HostConfig":{\#(host)}"#) }
        #expect(error?.status == .badRequest && error?.message.contains(words) == true, "\(error?.message ?? "")")
    }

    @Test("limits are kept with a warning")
    func warnings() throws {
        #expect(try request(#","HostConfig":{"Memory":10000000,"NanoCpus":5}"#).warnings.count == 2)
    }

    @Test("references and types that are none are 400")
    func badValues() throws {
        for body in [
            #"{"Image":"UPPER","Cmd":["x"]}"#, #"{"Cmd":["x"]}"#, #"{"Image":"a","Cmd":[1]}"#,
            #"{"Image":"a","Cmd":["x"],"Env":"A=1"}"#, #"{"Image":"a","Cmd":["x"],"Labels":{"a":1}}"#,
            #"{"Image":"a","Cmd":["x"],"OpenStdin":"yes"}"#, #"{"Image":"a","Cmd":["x"],"WorkingDir":"tmp"}"#,
            #"{"Image":"a","Cmd":["x"],"Env":["=1"]}"#, #"{"Image":"a","Cmd":["x"],"HostConfig":[]}"#,
        ] {
            let error = #expect(throws: DockerError.self) { try CreateRequest(body: try JSON.parse(body)) }
            #expect(error?.status == .badRequest, "\(body)")
        }
    }

    @Test("generated names are an adjective and a noun, and valid")
    func names() throws {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<50 {
            let name = try #require(ContainerName.random(attempt: 0, using: &generator))
            #expect(name.text.split(separator: "_").count == 2)
        }
    }
}

@Suite("The pieces of the wire")
struct PieceTests {
    @Test("JSON comes back as it was, and broken texts are refused where they break")
    func json() throws {
        let text = #"{"a":[1,-2.5e3,true,null,"x\"\\\n\u0001é😀"],"b":{}}"#
        #expect(try JSON.parse(text).text == text)
        #expect(try JSON.parse(#""\u00e9\ud83d\ude00\/""#) == "é😀/")
        let broken: [(String, JSONError)] = [
            ("", .empty), ("{}x", .trailing), ("{\"a\"}", .malformed(offset: 4)), ("[1,]", .malformed(offset: 3)),
            ("[[[]]]", .tooDeep(limit: 2)), ("\"a", .malformed(offset: 2)), ("01", .trailing),
            ("tru", .malformed(offset: 0)),
        ]
        for (text, error) in broken {
            #expect(throws: error) { try JSON.parse(text, depth: 2) }
        }
    }

    @Test("targets are decoded once, behind the slashes")
    func targets() {
        let target = RequestTarget("/v1.50/containers/a%2Fb/json?all=True&filters=%7B%22a%22%3A+1%7D&x&size=none")
        #expect(target.segments == ["v1.50", "containers", "a/b", "json"])
        #expect(target.query.flag("all"))
        #expect(!target.query.flag("size"))
        #expect(target.query["filters"] == "{\"a\": 1}")
        #expect(target.query["x"] == "")
        #expect(RequestTarget("/%zz%4").segments == ["%zz%4"])
    }

    @Test(
        "routes",
        arguments: [
            ("GET", "/_ping", DockerRoute.system(.ping)), ("POST", "/containers/create", .createContainer),
            ("GET", "/containers/json", .containers), ("GET", "/containers/a/json", .container("a", .json)),
            ("POST", "/containers/a/b/start", .container("a/b", .start)),
            ("DELETE", "/containers/a", .removeContainer("a")),
            ("GET", "/images/r.io/a/b/json", .system(.image("r.io/a/b", .json))),
            ("POST", "/images/create", .system(.pull)), ("PUT", "/containers/a/start", .unknown),
            ("GET", "/", .unknown),
            ("GET", "/containers", .unknown), ("DELETE", "/containers", .unknown),
            ("GET", "/images", .system(.unknown)),
        ])
    func routes(method: String, path: String, route: DockerRoute) {
        #expect(DockerRoute.resolve(method: method, segments: RequestTarget(path).segments) == route)
    }

    @Test("frames are Docker's: stream, three zeros, length, payload")
    func frames() {
        for stream in StreamFrame.Stream.allCases {
            let frame = StreamFrame.encode(stream, "abc")
            #expect(Array(frame.readableBytesView) == [stream.rawValue, 0, 0, 0, 0, 0, 0, 3] + Array("abc".utf8))
        }
    }

    @Test("lines are put together per stream, and long ones come in pieces")
    func lines() {
        var assembler = LineAssembler()
        func text(_ lines: [LogLine]) -> [String] { lines.map { String(buffer: $0.bytes) } }
        #expect(text(assembler.add(ByteBuffer(string: "a\nb"), .standardOutput, at: 1)) == ["a\n"])
        #expect(text(assembler.add(ByteBuffer(string: "x"), .standardError, at: 2)) == [])
        let joined = assembler.add(ByteBuffer(string: "c\n\n"), .standardOutput, at: 3)
        #expect(text(joined) == ["bc\n", "\n"])
        #expect(joined.map(\.timestampNanoseconds) == [1, 3])
        #expect(text(assembler.finish()) == ["x"])
        let long = assembler.add(
            ByteBuffer(string: String(repeating: "y", count: LineAssembler.maximumLineBytes + 1)), .standardOutput,
            at: 4)
        #expect(long.map(\.bytes.readableBytes) == [LineAssembler.maximumLineBytes])
        #expect(text(assembler.finish()) == ["y"])
    }

    @Test("bounds of logs are seconds with a fraction, or RFC 3339")
    func logTimes() throws {
        #expect(try LogQuery.nanoseconds("12", name: "since") == 12_000_000_000)
        #expect(try LogQuery.nanoseconds("12.5", name: "since") == 12_500_000_000)
        #expect(try LogQuery.nanoseconds("12.000000001", name: "since") == 12_000_000_001)
        #expect(try LogQuery.nanoseconds("1970-01-01T00:00:01Z", name: "since") == 1_000_000_000)
        #expect(try LogQuery.nanoseconds("0", name: "since") == nil)
        #expect(throws: DockerError.self) { try LogQuery.nanoseconds("soon", name: "since") }
    }
}
