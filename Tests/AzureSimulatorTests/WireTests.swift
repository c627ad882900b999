import AsyncHTTPClient
import Logging
import NIOHTTP1
import Testing

@testable import AzureSimulator

/// The HTTP face, with containers that never become ready.
@Suite(.timeLimit(.minutes(1))) struct WireTests {
    @Test func `a site lives and dies over HTTP`() async throws {
        try await RunningSimulator.run { simulator in
            let put = try await simulator.put("a1")
            #expect(put.status == 200)
            #expect(put.headers["x-ms-request-id"].count == 1)
            #expect(put.headers.first(name: "content-type") == "application/json; charset=utf-8")
            let get = try await simulator.arm(.GET, "sites/a1")
            #expect(get.json["properties"]?.string("defaultHostName") == "a1.azurewebsites.net")
            #expect(try await simulator.arm(.GET, "sites").json["value"]?.array?.count == 1)
            #expect(try await simulator.arm(.GET, "serverfarms/skls-plan").status == 200)
            #expect(try await simulator.delete("a1").status == 200)
            let again = try await simulator.delete("a1")
            #expect((again.status, again.body.count) == (204, 0))
            #expect(try await simulator.arm(.GET, "sites/a1").status == 404)
        }
    }

    @Test func `links of lists lead back to the simulator`() async throws {
        try await RunningSimulator.run {
            $0.pageSize = 2
        } body: { simulator in
            for name in ["a1", "a2", "a3"] { _ = try await simulator.put(name, image: "nosuch") }
            let link = try #require(try await simulator.arm(.GET, "sites").json["nextLink"]?.string)
            #expect(link.hasPrefix(simulator.address.url + "/subscriptions/"))
        }
    }

    @Test func `a connection serves request after request, and HEAD has no body`() async throws {
        try await RunningSimulator.run { simulator in
            var request = HTTPClientRequest(url: "\(simulator.address.url)/v2/library/alpine/manifests/latest")
            let get = try await simulator.send(request)
            request.method = .HEAD
            let head = try await simulator.send(request)
            #expect(head.status == 200)
            #expect(head.body.isEmpty)
            #expect(head.headers["docker-content-digest"] == get.headers["docker-content-digest"])
            #expect(head.headers.first(name: "content-length") == "\(get.body.count)")
            #expect(get.body.count > 0)
        }
    }

    @Test func `hosts without a site and sites without a container get pages`() async throws {
        try await RunningSimulator.run { simulator in
            let unknown = try await simulator.send(simulator.visit("nobody"))
            #expect(unknown.status == 404)
            #expect(unknown.text.contains("404 Web Site not found"))
            #expect(unknown.headers.first(name: "content-type") == "text/html")
            _ = try await simulator.put("a1", image: "nosuch")
            #expect(try await simulator.send(simulator.visit("a1")).status == 503)
            #expect(try await simulator.log("a1").contains("manifest unknown: 404"))
        }
    }

    @Test func `a stopped site's container ends, and a started one's begins`() async throws {
        try await RunningSimulator.run { simulator in
            try await SiteServer.serve("a1", in: simulator) {
                #expect(try await simulator.send(simulator.visit("a1")).status == 200)
                #expect(try await simulator.arm(.POST, "sites/a1/stop").status == 200)
                let page = try await simulator.send(simulator.visit("a1"))
                #expect(page.status == 403)
                #expect(page.text.contains("This web app is stopped"))
                try await simulator.until { try simulator.entries("run").isEmpty }
                #expect(try await simulator.arm(.POST, "sites/a1/start").status == 200)
                try await simulator.until { try !simulator.entries("run").isEmpty }
            }
        }
    }

    @Test func `a slow PUT is answered when its time has come`() async throws {
        try await RunningSimulator.run {
            $0.web.writes = .slow
            $0.latencyScale = 0.02
        } body: { simulator in
            let start = ContinuousClock.now
            let put = try await simulator.put("a1", image: "nosuch")
            #expect(put.status == 200)
            #expect(ContinuousClock.now - start >= .milliseconds(500))
            #expect(try await simulator.arm(.GET, "sites/a1").status == 200)
        }
    }

    @Test func `the request log tells of each answer and holds no secret`() async throws {
        try await RunningSimulator.run { simulator in
            _ = try await simulator.put("a1", image: "nosuch", settings: ["CANARY": "canary-value"])
            _ = try await simulator.send(simulator.visit("a1", path: "/x?y=1"))
            let lines = try simulator.journal("requests")
            #expect(lines.map { $0.string("plane") } == ["login", "arm", "site"])
            #expect(lines[1].string("method") == "PUT")
            #expect(lines[2].string("host") == "a1.azurewebsites.net")
            #expect(lines[2].string("path") == "/x?y=1")
            #expect(lines[2]["status"] == 503)
            let text = lines.map { String(decoding: $0.encoded, as: UTF8.self) }.joined()
            #expect(!text.contains("canary-value"))
            #expect(!text.contains(simulator.configuration.clientSecret.revealed))
        }
    }

    @Test func `what is missing is said before anything starts`() {
        func code(_ change: (inout SimulatorConfiguration) -> Void) -> SimulatorError.Code? {
            var configuration = SimulatorConfiguration(agentExecutable: "/bin/sh")
            change(&configuration)
            do throws(SimulatorError) {
                _ = try AzureSimulator(configuration: configuration, logger: .init(label: "test"))
                return nil
            } catch {
                return error.code
            }
        }
        #expect(code { $0.agentExecutable = "/nonexistent" } == .agentMissing)
        #expect(code { $0.bubblewrap = "/nonexistent" } == .bubblewrapMissing)
        #expect(code { $0.busybox = "/nonexistent" } == .busyboxMissing)
        #expect(code { $0.imageRoots = ["tool": "/nonexistent"] } == .imageRootUnreadable)
        #expect(code { $0.imageRoots = ["a b": "/tmp"] } == .configuration)
        #expect(code { _ in } == nil)
    }

    @Test func `a bubblewrap that refuses ends the start with advice`() async throws {
        let error = await #expect(throws: SimulatorError.self) {
            try await RunningSimulator.run {
                $0.bubblewrap = "/bin/false"
            } body: { _ in
            }
        }
        #expect(error?.code == .bubblewrapRefused)
        #expect(error?.message.contains("user namespaces") == true)
    }

    @Test func `two simulators do not share a directory`() async throws {
        try await RunningSimulator.run { simulator in
            let error = await #expect(throws: SimulatorError.self) {
                try await RunningSimulator.run {
                    $0.directory = simulator.address.directory
                } body: { _ in
                }
            }
            #expect(error?.code == .directoryInUse)
        }
    }
}
