import AsyncHTTPClient
import Foundation
import Logging
import NIOCore
import Testing

@testable import AzureSimulator

@Suite(.timeLimit(.minutes(1))) struct ShutdownTests {
    /// Connections that are accepted while the server ends must not end the process.
    @Test func `clients may connect while the simulator ends`() async throws {
        for _ in 0..<5 {
            try await RunningSimulator.run { simulator in
                _ = try await simulator.put("a1")
                try await withThrowingTaskGroup(of: Int.self) { clients in
                    for _ in 0..<16 { clients.addTask { try await Self.connectUntilRefused(simulator.address.url) } }
                    try await simulator.until { try simulator.journal("requests").count > 40 }
                    await simulator.stop()
                    var count = 0
                    for try await requests in clients { count += requests }
                    #expect(count > 20)
                }
            }
        }
    }

    /// The same when the simulator's task is cancelled: the server then accepts for a moment what it will not serve.
    @Test func `clients may connect while the simulator is cancelled`() async throws {
        for _ in 0..<5 {
            let (ready, signal) = AsyncStream<SimulatorAddress>.makeStream()
            let configuration = SimulatorConfiguration(agentExecutable: "/bin/sh")
            let simulator = try AzureSimulator(configuration: configuration, logger: Logger(label: "simulator")) {
                signal.yield($0)
                signal.finish()
            }
            let address = try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    defer { signal.finish() }
                    try await simulator.run()
                }
                let address = try #require(await ready.first { _ in true })
                try await withThrowingTaskGroup(of: Int.self) { clients in
                    for _ in 0..<16 { clients.addTask { try await Self.connectUntilRefused(address.url) } }
                    let journal = "\(address.directory)/requests.jsonl"
                    while try String(contentsOfFile: journal, encoding: .utf8).count(where: { $0 == "\n" }) < 40 {
                        try await Task.sleep(for: .milliseconds(2))
                    }
                    group.cancelAll()
                    var count = 0
                    for try await requests in clients { count += requests }
                    #expect(count > 20)
                }
                return address
            }
            // Its own directory is gone, though nobody was asked.
            #expect(!FileManager.default.fileExists(atPath: address.directory))
        }
    }

    /// Requests on a new connection each, until one fails; how many did not.
    private static func connectUntilRefused(_ url: String) async throws -> Int {
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.retryConnectionEstablishment = false
        var count = 0
        while true {
            let client = HTTPClient(configuration: configuration)
            do {
                let response = try await client.execute(HTTPClientRequest(url: "\(url)/v2/"), timeout: .seconds(5))
                _ = try await response.body.collect(upTo: 1_024)
            } catch {
                try await client.shutdown()
                return count
            }
            try await client.shutdown()
            count += 1
        }
    }
}
