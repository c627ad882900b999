import AgentLink
import AgentProtocol
import DesiredState
import Foundation
import NIOCore
import Testing

@testable import APIServer

@Suite("Into and out of containers over the wire", .timeLimit(.minutes(1)))
struct TaskTests {
    private static let directory = SessionResult(facts: [
        PathFact.name: "etc", PathFact.size: "4096", PathFact.mode: String(0o040755),
        PathFact.modified: "1700000000000000000",
    ])

    private static func pathStat(_ reply: RawResponse) throws -> JSON {
        let header = try #require(reply.headers["x-docker-container-path-stat"])
        return try JSON.parse(String(decoding: try #require(Data(base64Encoded: header)), as: UTF8.self))
    }

    @Test("what lies at a path is told in Docker's header, in Go's words")
    func stat() async throws {
        let sessions = FakeSessions()
        sessions.can("stat", "", Self.directory)
        try await TestServer.with(sessions: sessions) { server in
            let held = try await server.started(["hold"])
            let reply = try await server.request("HEAD", "/containers/\(held)/archive?path=/etc")
            #expect(reply.status == 200)
            #expect(
                try Self.pathStat(reply) == [
                    "name": "etc", "size": 4096, "mode": .number(UInt32(0o755) | 1 << 31),
                    "mtime": "2023-11-14T22:13:20.000000000Z", "linkTarget": "",
                ])
            #expect(try await server.request("HEAD", "/containers/\(held)/archive").status == 400)
            #expect(try await server.request("HEAD", "/containers/nobody/archive?path=/etc").status == 404)
            #expect(sessions.other?.isReleased == true)
        }
    }

    @Test("modes of files in Go's form")
    func modes() {
        let cases: [(UInt32, UInt32)] = [
            (0o100644, 0o644), (0o040755, 0o755 | 1 << 31), (0o120777, 0o777 | 1 << 27), (0o060660, 0o660 | 1 << 26),
            (0o020666, 0o666 | 1 << 26 | 1 << 21), (0o010600, 0o600 | 1 << 25), (0o140755, 0o755 | 1 << 24),
            (0o104755, 0o755 | 1 << 23), (0o102755, 0o755 | 1 << 22), (0o041777, 0o777 | 1 << 31 | 1 << 20),
        ]
        for (mode, expected) in cases { #expect(PathStat.goMode(mode) == expected, "\(String(mode, radix: 8))") }
    }

    @Test("a tar comes out as the agent makes it, from a container that has ended, too")
    func readArchive() async throws {
        let sessions = FakeSessions()
        sessions.can("archive", "TAR", Self.directory)
        try await TestServer.with(sessions: sessions) { server in
            let ended = try await server.started(["true"])
            _ = try await server.request("POST", "/containers/\(ended)/wait")
            let reply = try await server.request("GET", "/containers/\(ended)/archive?path=etc")
            #expect(reply.status == 200 && reply.body == "TAR")
            #expect(reply.headers["content-type"] == "application/x-tar")
            #expect(try Self.pathStat(reply)["name"] == "etc")
            #expect(sessions.boots == [BootID(String(repeating: "b", count: 32))])
        }
    }

    @Test("what the agent refuses has Docker's status and text")
    func refusals() async throws {
        let sessions = FakeSessions()
        try await TestServer.with(sessions: sessions) { server in
            let held = try await server.started(["hold"])
            let cases: [(SessionResult.Failure, Int, String)] = [
                (.notFound, 404, "Could not find the file /x in container \(held)"),
                (.notPermitted, 403, "cp: why"), (.refused, 400, "cp: why"), (.failed, 500, "cp: why"),
            ]
            for (failure, status, text) in cases {
                for (kind, method) in [("stat", "HEAD"), ("archive", "GET"), ("extract", "PUT")] {
                    sessions.can(kind, "", SessionResult(failure: failure, message: "why"))
                    let reply = try await server.request(
                        method, "/containers/\(held)/archive?path=/x", body: method == "PUT" ? "TAR" : nil,
                        type: "application/x-tar")
                    #expect(reply.status == status, "\(method)")
                    if method != "HEAD" { #expect(reply.body == "{\"message\":\"\(text)\"}") }
                }
            }
            sessions.fail(SessionError(.unreachable, "it sleeps"))
            let reply = try await server.request("GET", "/containers/\(held)/export")
            #expect(reply.status == 503 && reply.body.contains("it sleeps"))
        }
    }

    @Test("a tar goes in as the client sends it; of compressed ones only gzip is unpacked")
    func writeArchive() async throws {
        let sessions = FakeSessions()
        sessions.can("extract", "")
        try await TestServer.with(sessions: sessions) { server in
            let held = try await server.started(["hold"])
            let path = "/containers/\(held)/archive?path=/w&noOverwriteDirNonDir=true"
            // As the CLI sends it.
            try await RawClient.with(server.socketPath) { session in
                try await session.send(
                    "PUT \(path) HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Type: text/plain\r\n\r\n"
                        + "3\r\nTAR\r\n4\r\nmore\r\n0\r\n\r\n")
                #expect(try await session.response().status == 200)
            }
            #expect(sessions.other?.input == "TARmore" && sessions.other?.isInputEnded == true)
            let compressed = try await server.request("PUT", path, body: "BZh91AY", type: "application/x-tar")
            #expect(compressed.status == 400 && compressed.body.contains("send a plain tar"))
        }
    }

    @Test("gzip comes out of pieces of any size and of several members; what is cut off or broken is refused")
    func gzip() throws {
        // printf 'TARmore' | gzip -n
        let member: [UInt8] = [
            0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0x0b, 0x71, 0x0c, 0xca, 0xcd, 0x2f, 0x4a, 0x05,
            0x00, 0xd8, 0x7a, 0x37, 0x66, 0x07, 0x00, 0x00, 0x00,
        ]
        func tar(_ bytes: [UInt8], by size: Int) throws -> String {
            var body = ArchiveBody()
            var text = ""
            for start in stride(from: 0, to: bytes.count, by: size) {
                body.take(ByteBuffer(bytes: bytes[start..<min(start + size, bytes.count)]))
                while let piece = try body.next() { text += String(buffer: piece) }
            }
            body.end()
            while let piece = try body.next() { text += String(buffer: piece) }
            return text
        }
        for size in [1, 2, 26, 100] {
            #expect(try tar(member, by: size) == "TARmore")
            #expect(try tar(member + member, by: size) == "TARmoreTARmore")
            #expect(try tar(Array("plain".utf8), by: size) == "plain")
            for broken in [Array(member.dropLast(9)), member + [7], [0x1f, 0x8b, 0, 0, 0, 0, 0]] {
                #expect(throws: DockerError.self) { try tar(broken, by: size) }
            }
        }
        #expect(try tar([], by: 1) == "")
    }

    @Test("changes, processes and the whole file system")
    func inside() async throws {
        let sessions = FakeSessions()
        sessions.can("changes", "C /etc\nA /etc/a%20b\nD /bin/sh\n")
        sessions.can("processes", "UID\tPID\tCMD\nroot\t1\tsleep 5\nroot\t7\t\n")
        sessions.can("export", "TAR")
        try await TestServer.with(sessions: sessions) { server in
            let held = try await server.started(["hold"])
            let changes = try await server.request("GET", "/containers/\(held)/changes")
            #expect(
                try JSON.parse(changes.body) == [
                    ["Path": "/etc", "Kind": 0], ["Path": "/etc/a b", "Kind": 1], ["Path": "/bin/sh", "Kind": 2],
                ])
            let top = try await server.request("GET", "/containers/\(held)/top?ps_args=-ef")
            #expect(
                try JSON.parse(top.body) == [
                    "Titles": ["UID", "PID", "CMD"], "Processes": [["root", "1", "sleep 5"], ["root", "7", ""]],
                ])
            #expect(try await server.request("GET", "/containers/\(held)/export").body == "TAR")
            sessions.can("changes", "nonsense\n")
            #expect(try await server.request("GET", "/containers/\(held)/changes").status == 500)
        }
    }

    @Test("without sessions, and where the container does not run, the reason is told")
    func reasons() async throws {
        for (path, method) in [
            ("archive?path=/x", "GET"), ("changes", "GET"), ("export", "GET"), ("top", "GET"), ("stats", "GET"),
        ] {
            try await TestServer.with { server in
                let held = try await server.started(["hold"])
                let reply = try await server.request(method, "/containers/\(held)/\(path)")
                #expect(reply.status == 501 && reply.body.contains("sessions are off"), "\(path)")
            }
        }
        try await TestServer.with(sessions: FakeSessions()) { server in
            let idle = try await server.create(["true"])
            let reply = try await server.request("GET", "/containers/\(idle)/top")
            #expect(reply.status == 409)
            #expect(reply.body == "{\"message\":\"container \(idle) is not running\"}")
        }
    }

    @Test("copying into a container that has no site yet waits for one, and is refused where none will come")
    func created() async throws {
        let sessions = FakeSessions()
        sessions.can("extract", "")
        try await TestServer.with(sessions: sessions) { server in
            let idle = try await server.create(["true"])
            let uid = try #require(UID(idle))
            async let copied = server.request(
                "PUT", "/containers/\(idle)/archive?path=/w", body: "TAR", type: "application/x-tar")
            var status = FunctionAppStatus(
                site: SiteStatus(name: "s", resourceID: "/s", hostName: "s.example"))
            try await server.store.commit(Transaction(origin: .controller, [.setStatus(uid, status)]))
            #expect(try await copied.status == 200)
            #expect(sessions.boots == [nil])
            status.site = nil
            status.conditions = [
                Condition(
                    type: .stalled, status: .true, reason: "NoPlan", message: "there is no plan",
                    lastTransitionTime: Instant(nanoseconds: 1))
            ]
            try await server.store.commit(Transaction(origin: .controller, [.setStatus(uid, status)]))
            let refused = try await server.request("GET", "/containers/\(idle)/archive?path=/w")
            #expect(refused.status == 409 && refused.body.contains("there is no plan"))
        }
    }

    @Test("figures of use in Docker's form, each compared with the one before")
    func stats() async throws {
        let sessions = FakeSessions()
        let line =
            "cpuNanoseconds=500 userNanoseconds=300 kernelNanoseconds=200 systemNanoseconds=9000 processors=2 memoryBytes=1000 memoryLimitBytes=4000 processes=3 receivedBytes=7 readBytes=11 other=1"
        sessions.can("stats", line + "\n" + line.replacing("=500", with: "=700") + "\n")
        try await TestServer.with(sessions: sessions) { server in
            let held = try await server.started(["hold"], name: "web")
            let reply = try await server.request("GET", "/containers/\(held)/stats?stream=0")
            let sample = try JSON.parse(reply.body)
            #expect(sample["id"] == .string(held) && sample["name"] == "/web")
            #expect(sample["cpu_stats"]?["cpu_usage"]?["total_usage"] == 700)
            #expect(sample["precpu_stats"]?["cpu_usage"]?["total_usage"] == 500)
            #expect(sample["cpu_stats"]?["system_cpu_usage"] == 9000 && sample["cpu_stats"]?["online_cpus"] == 2)
            #expect(sample["memory_stats"]?["usage"] == 1000 && sample["memory_stats"]?["limit"] == 4000)
            #expect(sample["pids_stats"]?["current"] == 3)
            #expect(sample["networks"]?["eth0"]?["rx_bytes"] == 7 && sample["networks"]?["eth0"]?["tx_bytes"] == 0)
            let single = try JSON.parse(
                try await server.request("GET", "/containers/\(held)/stats?stream=0&one-shot=1").body)
            #expect(single["precpu_stats"]?["cpu_usage"]?["total_usage"] == 0)
            #expect(single["preread"] == "0001-01-01T00:00:00Z")
            let stream = try await server.request("GET", "/containers/\(held)/stats")
            #expect(stream.body.split(separator: "\n").count == 2)
            let idle = try await server.create(["true"])
            let empty = try JSON.parse(try await server.request("GET", "/containers/\(idle)/stats").body)
            #expect(empty["read"] == "0001-01-01T00:00:00Z" && empty["memory_stats"]?["usage"] == 0)
        }
    }
}
