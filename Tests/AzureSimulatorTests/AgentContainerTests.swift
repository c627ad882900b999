import AgentLink
import AgentProtocol
import AsyncHTTPClient
import Foundation
import Logging
import NIOCore
import Testing

@testable import AzureSimulator

/// Sites with the real agent, driven as the daemon drives it.
@Suite(.timeLimit(.minutes(1)), .enabled(if: RunningSimulator.realAgent != nil, "skls-agent is not built"))
struct AgentContainerTests {
    /// A site with an agent, and the daemon's end of it.
    struct AgentSite: Sendable {
        let name: String
        let secret = AgentSecret.random()
        let simulator: RunningSimulator
        let agent: AgentClient

        init(_ name: String, in simulator: RunningSimulator) {
            self.name = name
            self.simulator = simulator
            agent = AgentClient(httpClient: simulator.client, logger: Logger(label: "agent"))
        }

        var endpoint: AgentEndpoint {
            AgentEndpoint(
                baseURL: simulator.address.url, hostHeader: "\(name).azurewebsites.net", secret: secret)
        }

        func put(_ settings: [String: String] = [:]) async throws {
            let reply = try await simulator.put(
                name, settings: settings.merging(["SKLS_AGENT_SECRET": secret.revealedHex]) { $1 })
            #expect(reply.status == 200)
        }

        func hello() async throws -> BootID { try await agent.hello(endpoint, timeout: .seconds(20)).boot }

        /// Runs a shell command to its end: its report and its stdout.
        func run(_ command: String, boot: BootID) async throws -> (report: RunReport, output: String) {
            let token = try #require(RunToken(SeededRandom.hex(64)))
            _ = try await agent.startRun(
                endpoint, boot: boot, token: token, request: RunRequest(arguments: ["sh", "-c", command]))
            var offset: UInt64 = 0
            var output = ""
            while true {
                let (report, frames) = try await agent.readRun(
                    endpoint, boot: boot, token: token, offset: offset, wait: .seconds(20))
                offset = report.offset + UInt64(frames.readableBytes)
                var rest = frames
                while let header = rest.readBytes(length: OutputFrameHeader.encodedBytes),
                    let frame = header.withUnsafeBytes({ OutputFrameHeader(decoding: $0) })
                {
                    output += rest.readString(length: frame.payloadBytes) ?? ""
                }
                if report.isOver(at: offset) { return (report, output) }
            }
        }
    }

    @Test func `a command runs in a site, once, and is journalled`() async throws {
        try await RunningSimulator.run(agent: .real) { simulator in
            let site = AgentSite("a1", in: simulator)
            try await site.put()
            let boot = try await site.hello()
            let (report, output) = try await site.run("echo hello; exit 7", boot: boot)
            #expect(report.exitCode == 7)
            #expect(output == "hello\n")
            let lines = try simulator.journal("executions")
            #expect(lines.map { $0.string("boot") } == [boot.hex])
            #expect(try simulator.journal("requests").count { $0.string("plane") == "site" } >= 3)
        }
    }

    @Test func `a command that removes everything is still heard of`() async throws {
        try await RunningSimulator.run(agent: .real) { simulator in
            let site = AgentSite("a1", in: simulator)
            try await site.put()
            let boot = try await site.hello()
            let (report, output) = try await site.run(
                "rm -rf / 2>/dev/null; /bin/busybox true 2>/dev/null || echo gone", boot: boot)
            #expect(output == "gone\n")
            #expect(report.exitCode == 0)
            #expect(FileManager.default.fileExists(atPath: "/bin/busybox"))
            #expect(FileManager.default.fileExists(atPath: "\(simulator.address.directory)/agent"))
            #expect(try await simulator.delete("a1").status == 200)
            try await simulator.until { try simulator.entries("run").isEmpty }
        }
    }

    @Test func `an agent that is killed comes back with another boot id`() async throws {
        try await RunningSimulator.run(agent: .real) { simulator in
            let site = AgentSite("a1", in: simulator)
            try await site.put()
            let first = try await site.hello()
            let text = try String(contentsOfFile: "\(simulator.address.directory)/sites/a1.pid", encoding: .utf8)
            let process = try #require(Int32(text.dropLast()))
            #expect(kill(process, SIGKILL) == 0)
            // Requests until the platform notices meet a dead connection; then they wait for the new container.
            var second = first
            while second == first {
                do { second = try await site.hello() } catch { continue }
            }
            #expect(second != first)
        }
    }

    @Test func `a stopped agent ends by itself, before it would be killed`() async throws {
        try await RunningSimulator.run(agent: .real) { simulator in
            let site = AgentSite("a1", in: simulator)
            // Longer than this test may take.
            try await site.put(["WEBSITES_CONTAINER_STOP_TIME_LIMIT": "120"])
            _ = try await site.hello()
            _ = try await simulator.delete("a1")
            try await simulator.until { try simulator.entries("run").isEmpty }
            #expect(try simulator.entries("sites").isEmpty)
        }
    }

    @Test func `fifty containers start at once`() async throws {
        try await RunningSimulator.run(agent: .real) { simulator in
            let start = ContinuousClock.now
            try await withThrowingTaskGroup(of: BootID.self) { group in
                for number in 0..<50 {
                    group.addTask {
                        let site = AgentSite("site-\(number)", in: simulator)
                        try await site.put()
                        return try await site.hello()
                    }
                }
                var boots: Set<BootID> = []
                for try await boot in group { boots.insert(boot) }
                #expect(boots.count == 50)
            }
            print("50 containers at once: \(ContinuousClock.now - start)")
        }
    }

    @Test func `fifty sites start, run and end one after another`() async throws {
        try await RunningSimulator.run(agent: .real) { simulator in
            for number in 0..<50 {
                let site = AgentSite("site-\(number)", in: simulator)
                try await site.put()
                _ = try await site.run("true", boot: try await site.hello())
                #expect(try await simulator.delete(site.name).status == 200)
            }
            #expect(try simulator.journal("executions").count == 50)
        }
    }
}

private enum SeededRandom {
    static func hex(_ count: Int) -> String {
        var generator = SeededGenerator(seed: UInt64.random(in: 0...UInt64.max))
        return generator.hex(count)
    }
}
