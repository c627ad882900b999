import AsyncHTTPClient
import FoundationEssentials
import NIOCore
import NIOHTTP1
import Testing

@testable import AzureSimulator

@Suite(.timeLimit(.minutes(1))) struct KuduTests {
    /// A script with a container that has written twelve lines.
    static func script() throws -> (WorldScript, ContainerLaunch) {
        var script = WorldScript()
        _ = script.put("a1")
        let launch = try #require(script.started)
        let lines = (1...12).map { "line \($0)\n" }.joined()
        _ = script.tell(.containerWrote(launch.instance, Array(lines.utf8)))
        return (script, launch)
    }

    static func request(_ script: WorldScript, _ path: String, headers: [Reply.Header] = [], isKnown: Bool = true)
        -> ControlRequest
    {
        ControlRequest(
            method: "GET", path: path, host: "a1.scm.azurewebsites.net", baseURL: "https://a1.scm.azurewebsites.net",
            authorization: isKnown ? "Bearer \(script.token)" : nil, headers: headers)
    }

    @Test func `the files of a site are listed and read in parts`() throws {
        var (script, _) = try Self.script()
        let list = json(script.send(Self.request(script, "/api/logs/docker"))).array ?? []
        #expect(list.count == 2)
        let href = try #require(list.first?.string("href"))
        #expect(
            href.hasPrefix("https://a1.scm.azurewebsites.net/api/vfs/LogFiles/2026_09_21_")
                && href.hasSuffix("_default_docker.log"))
        let path = String(href.dropFirst("https://a1.scm.azurewebsites.net".count))
        #expect(script.send(Self.request(script, path)).body.starts(with: "line 1\nline 2\n".utf8))
        func part(_ range: String) -> (Int, String) {
            let reply = script.send(
                Self.request(script, path, headers: [.init(name: "Range", value: "bytes=\(range)")]))
            return (reply.status, String(decoding: reply.body, as: UTF8.self))
        }
        #expect(part("0-5") == (206, "line 1") && part("-8") == (206, "line 12\n") && part("7-12") == (206, "line 2"))
        #expect(part("5000-") == (416, "") && part("-0") == (416, ""))
        #expect(script.send(Self.request(script, "/api/vfs/LogFiles/nosuch.log")).status == 404)
        #expect(script.send(Self.request(script, path, isKnown: false)).status == 401)
    }

    @Test func `Kudu takes the publishing credentials unless a policy of the site forbids it`() throws {
        var (script, _) = try Self.script()
        let credentials = json(script.site("POST", "/config/publishingcredentials/list"))["properties"] ?? [:]
        let user = credentials.string("publishingUserName")
        let password = credentials.string("publishingPassword")
        #expect(user == "$a1" && !password.isEmpty)
        func status(_ user: String, _ password: String) -> Int {
            var request = Self.request(script, "/api/logs/docker")
            request.authorization = "Basic \(Data("\(user):\(password)".utf8).base64EncodedString())"
            return script.send(request).status
        }
        #expect(status(user, password) == 200 && status("a1\\$a1", password) == 200)
        #expect(status(user, password + "x") == 401 && status("$a2", password) == 401 && status(user, "") == 401)
        let policy = "/basicPublishingCredentialsPolicies/scm"
        #expect(script.site("PUT", policy, body: #"{"properties":{"allow":false}}"#).status == 200)
        #expect(status(user, password) == 401)
        #expect(script.send(Self.request(script, "/api/logs/docker")).status == 200)
    }

    @Test func `a stream begins with the last ten lines, goes on with new ones, beats and ends`() throws {
        var (script, launch) = try Self.script()
        let (id, effects) = script.followLog("/api/logstream")
        #expect(effects.first == .stream(id))
        func text(_ effects: [Effect]) -> String {
            var text = ""
            for case .output(id, let bytes) in effects { text += String(decoding: bytes, as: UTF8.self) }
            return text
        }
        let head = text(effects)
        #expect(head.hasPrefix("2026-09-21T14:13:20  Welcome, you are now connected to log-streaming service.\n"))
        #expect(!head.contains("line 2\n") && head.contains("line 3\n") && head.contains("line 12\n"))
        #expect(head.hasSuffix("Starting Live Log Stream ---\n"))
        #expect(text(script.tell(.containerWrote(launch.instance, Array("new\n".utf8)))) == "new\n")
        script.advance(.seconds(59))
        #expect(script.tell(.beat(id)).isEmpty)
        script.advance(.seconds(1))
        #expect(text(script.tell(.beat(id))) == "2026-09-21T14:14:20  No new trace in the past 1 min(s).\n")
        script.advance(.seconds(7_200))
        let end = script.tell(.beat(id))
        #expect(text(end).hasSuffix("Stream terminated due to timeout 120 min(s).\n") && end.last == .streamEnd(id))
        #expect(script.world.logs.followers.isEmpty)
    }

    @Test func `a stream ends with its site and with its client`() throws {
        var (script, launch) = try Self.script()
        let (id, _) = script.followLog("/logstream")
        let (other, _) = script.followLog("/logstream")
        _ = script.tell(.abandoned(other))
        #expect(Array(script.world.logs.followers.keys) == [id])
        _ = script.arm("DELETE", WorldScript.site("a1"))
        #expect(script.tell(.containerWrote(launch.instance, Array("late\n".utf8))).isEmpty)
        #expect(script.tell(.beat(id)) == [.streamEnd(id)])
        let (refused, effects) = script.followLog("/logstream")
        #expect(effects == [.reply(refused, FrontEndPage.notFound)])
    }

    @Test func `over HTTP a stream carries what a container writes while it is read`() async throws {
        try await RunningSimulator.run { simulator in
            _ = try await simulator.put("a1", image: "nosuch")
            var request = simulator.visit("a1.scm", path: "/api/logstream")
            #expect(try await simulator.send(request).status == 401)
            request.headers.add(name: "Authorization", value: "Bearer \(simulator.token)")
            let response = try await simulator.client.execute(request, timeout: .seconds(30))
            #expect(response.headers.first(name: "content-type") == "text/event-stream")
            var seen = ""
            for try await part in response.body {
                let isFirst = seen.isEmpty
                seen += String(buffer: part)
                // A change of the site makes the platform write.
                if isFirst { _ = try await simulator.put("a1", image: "nosuch2") }
                if seen.contains("nosuch2") { break }
            }
            #expect(seen.contains("Welcome, you are now connected"))
        }
    }

    @Test func `compressed telemetry is taken over HTTP`() async throws {
        try await RunningSimulator.run { simulator in
            var request = HTTPClientRequest(url: "\(simulator.address.url)/v2.1/track")
            request.method = .POST
            request.headers.add(name: "Content-Encoding", value: "gzip")
            // gzip of {"iKey":"x"}
            let gzip: [UInt8] = [
                31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 171, 86, 202, 244, 78, 173, 84, 178, 82, 170, 80, 170, 5, 0, 34, 77,
                25, 24, 12, 0, 0, 0,
            ]
            request.body = .bytes(ByteBuffer(bytes: gzip))
            let reply = try await simulator.send(request)
            #expect(reply.status == 400 && reply.text.contains("Invalid instrumentation key"))
            request.body = .bytes(ByteBuffer(bytes: gzip.dropLast(4)))
            #expect(try await simulator.send(request).status == 415)
            request.headers.replaceOrAdd(name: "Content-Encoding", value: "br")
            #expect(try await simulator.send(request).status == 415)
        }
    }
}

extension WorldScript {
    /// Begins to follow the log of the site `a1`.
    mutating func followLog(_ path: String) -> (RequestID, [Effect]) {
        let request = KuduTests.request(self, path)
        return step { .follow($0, request) }
    }
}
