import Foundation
import Testing

/// Commands in containers through sessions: docker CLI, daemon, the simulator's front end and agents, all of them real.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct SessionTests {
    /// Runs `body` with a container `c` that runs, and sites behind a proxy.
    private func with(
        simulator: [String] = [], daemon: [String: String] = [:],
        _ body: (Installation, CuttingProxy) async throws -> Void
    ) async throws {
        let here = try await Installation.start(simulator: simulator)
        await here.stopDaemon()
        let port = try #require(here.azure["SKLS_SITE_ADDRESS"]?.split(separator: ":").last.flatMap { Int($0) })
        let proxy = try await CuttingProxy.start(before: port)
        do {
            try await here.startDaemon(variables: daemon.merging(["SKLS_SITE_ADDRESS": proxy.url]) { $1 })
            let run = try await here.docker("run", "-d", "--name", "c", "alpine", "sleep", "1000")
            #expect(run.status == 0, "\(run)")
            try await body(here, proxy)
        } catch {
            await here.stop()
            await proxy.stop()
            throw error
        }
        await here.stop()
        await proxy.stop()
    }

    @Test func `commands have their output, input and exit codes, several at once over one connection`() async throws {
        try await with { here, proxy in
            let hello = try await here.docker("exec", "c", "sh", "-c", "echo out; echo err >&2; exit 7")
            #expect(hello.output == "out\n" && hello.errors.hasPrefix("err\n") && hello.status == 7, "\(hello)")
            async let first = here.docker(["exec", "-i", "c", "cat"], input: "one\n")
            async let second = here.docker(["exec", "c", "echo", "two"])
            let (one, two) = try await (first, second)
            #expect(one.output == "one\n" && two.output == "two\n", "\(one) \(two)")
            let missing = try await here.docker("exec", "c", "nosuch")
            #expect(missing.status == 127 || missing.status == 126, "\(missing)")
            #expect(proxy.sessions == 1)
        }
    }

    @Test func `output and input survive connections that are cut in the middle`() async throws {
        try await with { here, proxy in
            proxy.cut(connections: 5, afterBytes: 700_000)
            let counted = try await here.docker("exec", "c", "seq", "1", "900000")
            let expected = (1...900_000).map { "\($0)\n" }.joined()
            #expect(counted.output == expected && counted.status == 0, "\(counted.output.count) \(counted.errors)")
            #expect(proxy.cuts == 5 && proxy.sessions == 6)

            proxy.cut(connections: 4, afterBytes: 400_000)
            let text = (1...400_000).map { "\($0)\n" }.joined()
            let echoed = try await here.docker("exec", "-i", "c", "cat", input: text)
            #expect(echoed.output == text && echoed.status == 0, "\(echoed.output.count) \(echoed.errors)")
            #expect(proxy.cuts == 9)
        }
    }

    @Test func `where there is a callback's address the containers call, through the relay`() async throws {
        let port = try await CuttingProxy.freePort()
        try await with(
            simulator: ["--egress", "127.0.0.1:\(port)"],
            daemon: ["SOCKERLESS_CALLBACK_URL": "http://127.0.0.1:\(port)/agents"]
        ) { here, proxy in
            let hello = try await here.docker("exec", "c", "sh", "-c", "echo out; exit 7")
            #expect(hello.output == "out\n" && hello.status == 7, "\(hello)")
            let counted = try await here.docker("exec", "c", "seq", "1", "300000")
            #expect(counted.output == (1...300_000).map { "\($0)\n" }.joined() && counted.status == 0)
            // Nothing of it went through the front end, and after a restart of the daemon the agent calls again.
            #expect(proxy.sessions == 0)
            await here.stopDaemon()
            try await here.startDaemon(
                variables: [
                    "SKLS_SITE_ADDRESS": proxy.url, "SOCKERLESS_CALLBACK_URL": "http://127.0.0.1:\(port)/agents",
                ])
            let again = try await here.docker("exec", "-i", "c", "cat", input: "again\n")
            #expect(again.output == "again\n" && again.status == 0, "\(again)")
            #expect(proxy.sessions == 0)
        }
    }

    /// Certificates as `make certs` makes them, of an authority of their own.
    private func certificates() async throws -> String {
        let directory = NSTemporaryDirectory() + "/skls-certs-" + UUID().uuidString
        let script = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../scripts/certs").standardized.path
        let made = try await ChildProcess(script, [directory]).wait()
        try #require(made.status == 0, "\(made)")
        return directory
    }

    /// The container's network leads nowhere, so that TLS goes through the relay, whose address is no part of any certificate.
    @Test(arguments: ["127.0.0.1", "localhost"])
    func `agents call over TLS, through the relay, whom their authority vouches for`(host: String) async throws {
        let own = try await certificates()
        let foreign = try await certificates()
        let port = try await CuttingProxy.freePort()
        let url = "wss://\(host):\(port)/agents"
        let listener = [
            "SOCKERLESS_CALLBACK_URL": url, "SKLS_CALLBACK_CERT": own + "/server-cert.pem",
            "SKLS_CALLBACK_KEY": own + "/server-key.pem",
        ]
        let believing = listener.merging(["SKLS_CALLBACK_CA": own + "/ca.pem"]) { $1 }
        try await with(simulator: ["--egress", "\(host):\(port)"], daemon: believing) { here, proxy in
            let hello = try await here.docker("exec", "c", "sh", "-c", "echo out; exit 7")
            #expect(hello.output == "out\n" && hello.status == 7, "\(hello)")
            let counted = try await here.docker("exec", "c", "seq", "1", "300000")
            #expect(counted.output == (1...300_000).map { "\($0)\n" }.joined() && counted.status == 0)
            #expect(proxy.sessions == 0)
        }
        let doubting = listener.merging(["SKLS_CALLBACK_CA": foreign + "/ca.pem"]) { $1 }
        try await with(simulator: ["--egress", "\(host):\(port)"], daemon: doubting) { here, proxy in
            let refused = try here.beginDocker(["exec", "c", "echo", "never"])
            let site = try #require(try await here.sites().first).name
            while try await !here.containerLog(ofSite: site).contains("CERTIFICATE_VERIFY_FAILED") {
                await Task.yield()
            }
            #expect(try await here.containerLog(ofSite: site).contains("skls-agent: callback \(host):\(port): "))
            #expect(proxy.sessions == 0 && refused.outputSoFar.isEmpty)
            refused.send(SIGKILL)
            _ = await refused.wait()
        }
        for directory in [own, foreign] { try FileManager.default.removeItem(atPath: directory) }
    }

    @Test func `sites are reached over HTTPS, if their certificate can be trusted`() async throws {
        try await with { here, _ in
            await here.stopDaemon()
            let said = try String(contentsOfFile: here.folder + "/exports", encoding: .utf8)
            let secure = try #require(said.split(separator: "\n").first { $0.hasPrefix("# https: ") }?.dropFirst(9))
            try await here.startDaemon(
                variables: ["SKLS_SITE_ADDRESS": String(secure), "SKLS_CA_FILE": here.folder + "/azure/ca.pem"])
            let hello = try await here.docker("exec", "c", "echo", "hello")
            #expect(hello.output == "hello\n" && hello.status == 0, "\(hello)")
        }
    }

    @Test func `without sessions a command is refused, and says what would help`() async throws {
        try await with { here, _ in
            await here.stopDaemon()
            try await here.startDaemon("--sessions", "off")
            let refused = try await here.docker("exec", "c", "true")
            #expect(refused.status != 0 && refused.errors.contains("does not support exec"), "\(refused)")
        }
    }

    @Test func `a callback's address that cannot be used is told before anything is begun`() async throws {
        let wrong = try ChildProcess(
            Installation.binaries + "/skls",
            [
                "serve", "--simulator", "--callback-url", "ftp://x", "--callback-cert", "/nosuch", "--sessions",
                "reverse",
            ])
        let result = await wrong.wait()
        #expect(result.status != 0)
        for word in ["--callback-url", "SKLS_CALLBACK_ADDR", "SKLS_CALLBACK_KEY"] {
            #expect(result.errors.contains(word), "\(result.errors)")
        }
    }
}
