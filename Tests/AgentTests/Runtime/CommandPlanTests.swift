import AgentProtocol
import Testing

@testable import AgentRuntime

@Suite struct CommandPlanTests {
    private let users = UserDatabase(
        passwd: """
            root:x:0:0:root:/root:/bin/sh
            # a comment
            app:x:1000:1001:App:/home/app:/bin/sh
            bare:x:1002:1002

            """,
        group: """
            root:x:0:
            app:x:1001:
            disk:x:6:app,other
            audio:x:7:other
            """)

    private func plan(_ request: RunRequest, uid: UInt32 = 0) throws -> CommandPlan {
        try CommandPlan(request, in: .init(uid: uid, gid: uid, hostName: "box", users: users))
    }

    @Test("the environment is what was declared, with PATH, HOME and HOSTNAME where they are missing")
    func environment() throws {
        let plan = try plan(RunRequest(arguments: ["env"], environment: ["A=1", "HOME=/there", "A=2=3"]))
        #expect(plan.environment == ["A=2=3", "HOME=/there", "PATH=\(CommandPlan.defaultPath)", "HOSTNAME=box"])
    }

    @Test("HOME is the user's, root's, or the root directory") func home() throws {
        #expect(try plan(RunRequest(arguments: ["x"])).environment.contains("HOME=/root"))
        #expect(try plan(RunRequest(arguments: ["x"], user: "app")).environment.contains("HOME=/home/app"))
        #expect(try plan(RunRequest(arguments: ["x"], user: "77")).environment.contains("HOME=/"))
        #expect(try plan(RunRequest(arguments: ["x"]), uid: 1000).environment.contains("HOME=/home/app"))
    }

    @Test("a command without a slash is looked up in the PATH that it gets") func lookup() throws {
        #expect(try plan(RunRequest(arguments: ["/bin/x"])).candidates == ["/bin/x"])
        #expect(try plan(RunRequest(arguments: ["./x"])).candidates == ["./x"])
        #expect(
            try plan(RunRequest(arguments: ["x"], environment: ["PATH=/a::/b"])).candidates == ["/a/x", "./x", "/b/x"])
        #expect(try plan(RunRequest(arguments: ["x"])).candidates.first == "/usr/local/sbin/x")
    }

    @Test(
        "a user is found by name or number, with its groups",
        arguments: [
            ("app", UserIdentity(uid: 1000, gid: 1001, supplementaryGroups: [6], home: "/home/app")),
            ("1000", UserIdentity(uid: 1000, gid: 1001, supplementaryGroups: [6], home: "/home/app")),
            ("app:disk", UserIdentity(uid: 1000, gid: 6, supplementaryGroups: [], home: "/home/app")),
            ("app:77", UserIdentity(uid: 1000, gid: 77, supplementaryGroups: [], home: "/home/app")),
            ("4711", UserIdentity(uid: 4711, gid: 0, supplementaryGroups: [], home: nil)),
            ("4711:app", UserIdentity(uid: 4711, gid: 1001, supplementaryGroups: [], home: nil)),
            ("bare", UserIdentity(uid: 1002, gid: 1002, supplementaryGroups: [], home: nil)),
        ]) func identity(specification: String, identity: UserIdentity) throws
    {
        #expect(try plan(RunRequest(arguments: ["x"], user: specification)).identity == identity)
    }

    @Test("nobody has to become who the agent is") func sameIdentity() throws {
        #expect(try plan(RunRequest(arguments: ["x"], user: "root")).identity == nil)
        #expect(try plan(RunRequest(arguments: ["x"])).identity == nil)
    }

    @Test(
        "an unknown user or group is told in Docker's words",
        arguments: [
            ("nosuch", "unable to find user nosuch: no matching entries in passwd file"),
            ("app:nosuch", "unable to find group nosuch: no matching entries in group file"),
            ("-1", "unable to find user -1: no matching entries in passwd file"),
        ]) func unknown(specification: String, message: String)
    {
        #expect(throws: UserDatabase.Unknown(description: message)) {
            try plan(RunRequest(arguments: ["x"], user: specification))
        }
    }

    @Test(
        "signals have names and numbers",
        arguments: [
            ("TERM", 15), ("SIGTERM", 15), ("sigkill", 9), ("9", 9), ("USR1", 10), ("RTMIN", 34), ("RTMIN+3", 37),
            ("SIGRTMAX-1", 63), ("0", nil), ("65", nil), ("-9", nil), ("NOPE", nil), ("RTMIN+31", nil), ("", nil),
        ] as [(String, Int32?)]) func signals(text: String, number: Int32?)
    {
        #expect(Signal.number(text) == number)
    }

    @Test("settings are read from the environment, and wrong ones refused") func configuration() throws {
        let secret = String(repeating: "ab", count: 32)
        func address(_ variables: [String: String]) throws -> AgentConfiguration.Address {
            let all = variables.merging(["SKLS_AGENT_SECRET": secret]) { own, _ in own }
            return try AgentConfiguration { all[$0] }.address
        }
        #expect(try address([:]) == .port(80))
        #expect(try address(["PORT": "8080"]) == .port(8080))
        #expect(try address(["PORT": "8080", "WEBSITES_PORT": "9000"]) == .port(9000))
        #expect(try address(["SKLS_AGENT_LISTEN": "tcp:1234", "PORT": "8080"]) == .port(1234))
        #expect(try address(["SKLS_AGENT_LISTEN": "unix:/run/x"]) == .unixSocket(path: "/run/x"))
        for wrong in [
            ["SKLS_AGENT_LISTEN": "unix:x"], ["SKLS_AGENT_LISTEN": "tcp:0"], ["PORT": "x"],
            ["SKLS_AGENT_SPOOL_BYTES": "17"], ["SKLS_AGENT_SECRET": "abc"],
        ] {
            #expect(throws: AgentConfiguration.Failure.self) { try address(wrong) }
        }
        #expect(throws: AgentConfiguration.Failure.self) { try AgentConfiguration { _ in nil } }
    }
}
