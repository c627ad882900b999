import NIOCore
import NIOHTTP1
import Testing

@testable import AzureSimulator

/// WebSockets through the front end, as far as it sees them: an upgrade, and bytes behind it.
@Suite(.timeLimit(.minutes(1))) struct WebSocketTests {
    @Test func `an upgrade passes with its headers, and bytes behind it both ways`() async throws {
        try await RunningSimulator.run { simulator in
            try await UpgradingSite.serve("a1", in: simulator) {
                try await RawClient.run(simulator) { reader, writer in
                    try await writer.write(ByteBuffer(string: UpgradingSite.request("/echo", to: "a1")))
                    let head = try await reader.read(through: "\r\n\r\n")
                    #expect(head.hasPrefix("HTTP/1.1 101 "))
                    #expect(head.contains("skls-proof: 7\r\n"))
                    #expect(try await reader.read(through: "hello ") == "hello ")
                    try await writer.write(ByteBuffer(string: "one;"))
                    #expect(try await reader.read(through: ";") == "one;")
                    // The end of one direction leaves the other one open.
                    try await writer.write(ByteBuffer(string: "two;"))
                    writer.finish()
                    #expect(try await reader.read(through: "NEVER") == "two; bye")
                }
                #expect(try simulator.journal("requests").contains { $0["status"] == .number(101) })
            }
        }
    }

    @Test func `the site sees the request as the front end passes it on`() async throws {
        try await RunningSimulator.run { simulator in
            try await UpgradingSite.serve("a1", in: simulator) {
                let request = try await RawClient.run(simulator) { reader, writer in
                    try await writer.write(ByteBuffer(string: UpgradingSite.request("/headers?a=%2F", to: "a1")))
                    _ = try await reader.read(through: "\r\n\r\n")
                    return try await reader.read(through: "END")
                }
                #expect(request.hasPrefix("get /headers?a=%2f http/1.1\r\nhost: a1.azurewebsites.net\r\n"))
                for line in [
                    "connection: upgrade", "upgrade: websocket", "sec-websocket-version: 13", "skls-boot: 1",
                    "x-forwarded-proto: https",
                ] { #expect(request.contains("\r\n\(line)\r\n")) }
            }
        }
    }

    @Test func `many bytes pass both ways at the same time`() async throws {
        try await RunningSimulator.run { simulator in
            try await UpgradingSite.serve("a1", in: simulator) {
                try await RawClient.run(simulator) { reader, writer in
                    try await writer.write(ByteBuffer(string: UpgradingSite.request("/echo", to: "a1")))
                    _ = try await reader.read(through: "hello ")
                    async let sent: Void = {
                        for _ in 0..<512 { try await writer.write(ByteBuffer(repeating: 7, count: 65_536)) }
                        writer.finish()
                    }()
                    #expect(try await reader.count(upTo: .max) == 512 * 65_536 + " bye".utf8.count)
                    try await sent
                }
            }
        }
    }

    @Test(arguments: [
        ("/refuse", "HTTP/1.1 409 Conflict\r\n", "busy"), ("/hang-up", "HTTP/1.1 502 ", "</html>"),
        ("/silent", "HTTP/1.1 504 ", "</html>"),
    ])
    func `a site that does not upgrade is answered for as ever`(path: String, status: String, end: String) async throws
    {
        try await RunningSimulator.run {
            if path == "/silent" { $0.responseLimit = .milliseconds(500) }
        } body: { simulator in
            try await UpgradingSite.serve("a1", in: simulator) {
                let answer = try await RawClient.run(simulator) { reader, writer in
                    try await writer.write(ByteBuffer(string: UpgradingSite.request(path, to: "a1")))
                    return try await reader.read(through: end)
                }
                #expect(answer.hasPrefix(status))
                #expect(answer.lowercased().contains("\r\nconnection: close\r\n"))
                #expect(answer.hasSuffix(end))
            }
        }
    }

    @Test func `a connection without traffic is closed`() async throws {
        try await RunningSimulator.run {
            $0.idleLimit = .seconds(1)
        } body: { simulator in
            try await UpgradingSite.serve("a1", in: simulator) {
                try await RawClient.run(simulator) { reader, writer in
                    try await writer.write(ByteBuffer(string: UpgradingSite.request("/echo", to: "a1")))
                    #expect(try await reader.read(through: "NEVER").hasSuffix("hello "))
                }
            }
        }
    }

    @Test(arguments: ["stop", "DELETE"])
    func `a site that goes takes its connections with it`(action: String) async throws {
        try await RunningSimulator.run { simulator in
            try await UpgradingSite.serve("a1", in: simulator) {
                try await RawClient.run(simulator) { reader, writer in
                    try await writer.write(ByteBuffer(string: UpgradingSite.request("/echo", to: "a1")))
                    _ = try await reader.read(through: "hello ")
                    _ =
                        action == "stop"
                        ? try await simulator.arm(.POST, "sites/a1/stop") : try await simulator.delete("a1")
                    #expect(try await reader.count(upTo: .max) == 0)
                }
            }
        }
    }
}
