import AgentLink
import AgentProtocol
import AsyncHTTPClient
import Foundation
import Logging
import NIOCore
import NIOHTTP1
import Subprocess
import SystemPackage
import Testing

/// The real agent, as process 1 of a container of its own: a copied root, no capabilities, no network, reached over a
/// unix socket. Nothing that a command does in there can reach the machine.
struct AgentContainer: Sendable {
    let client: AgentClient
    let httpClient: HTTPClient
    let endpoint: AgentEndpoint
    let boot: BootID
    private let directory: String

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// Starts a container, waits for its agent, runs `body`, and kills everything.
    ///
    /// - Parameters:
    ///   - variables: more of the agent's environment.
    ///   - isProcessOne: else the agent is a child of bubblewrap's own process 1.
    ///   - endsByItself: the agent is expected to end within `body`, or soon after it.
    /// - Returns: what `body` gives, and how the container ended.
    @discardableResult
    static func run<Value: Sendable>(
        variables: [String: String] = [:], isProcessOne: Bool = true, endsByItself: Bool = false,
        _ body: @Sendable (AgentContainer) async throws -> Value
    ) async throws -> (Value, TerminationStatus) {
        // Short: a socket's path has at most 107 bytes.
        let directory = "/tmp/skls-\(UInt32.random(in: 0 ... .max))"
        // What a failed removal leaves is in the temporary directory.
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try await shell(arrange, [directory, agentPath()])
        let secret = AgentSecret.random()
        let settings = variables.merging(["SKLS_AGENT_SECRET": secret.revealedHex]) { own, _ in own }
        let options = settings.flatMap { ["--setenv", $0.key, $0.value] } + (isProcessOne ? ["--as-pid-1"] : [])
        let socket = "\(directory)/run/agent.sock".replacing("/", with: "%2F")
        let endpoint = AgentEndpoint(baseURL: "http+unix://\(socket)", secret: secret)

        return try await withHTTPClient { httpClient in
            let client = AgentClient(httpClient: httpClient, logger: Logger(label: "test"))
            let result = try await Subprocess.run(
                .path("/bin/sh"), arguments: Arguments(["-c", launch, "sh", directory] + options),
                environment: .custom([:]),
                input: .none, output: .discarded, error: .discarded
            ) { execution in
                // Its parent's end is the container's.
                defer { if !endsByItself { try? execution.send(signal: .kill) } }
                let boot = try await awaitHello(client, endpoint, directory)
                return try await body(
                    AgentContainer(
                        client: client, httpClient: httpClient, endpoint: endpoint, boot: boot, directory: directory))
            }
            return (result.closureResult, result.terminationStatus)
        }
    }

    /// Asks until there is an answer: a socket that nobody listens on refuses at once.
    private static func awaitHello(
        _ client: AgentClient, _ endpoint: AgentEndpoint, _ directory: String
    ) async throws -> BootID {
        while true {
            do throws(AgentError) {
                return try await client.hello(endpoint, timeout: .seconds(10)).boot
            } catch {
                guard error.code == .unreachable else { throw error }
                await Task.yield()
            }
        }
    }

    /// What the agent and the children before their commands wrote to its stderr.
    func log() throws -> String {
        try String(contentsOfFile: "\(directory)/log", encoding: .utf8)
    }

    /// Sends a signal to the agent itself.
    func signalAgent(_ number: Int32) throws {
        let status = try Data(contentsOf: URL(fileURLWithPath: "\(directory)/status"))
        // The first line of what bubblewrap tells.
        let line = status.prefix { $0 != UInt8(ascii: "\n") }
        let object = try JSONSerialization.jsonObject(with: line) as? [String: Any]
        guard let pid = object?["child-pid"] as? Int32 else { throw Failure(description: "no child-pid") }
        kill(pid, number)
    }

    // MARK: runs

    func start(_ arguments: String..., token: RunToken = .test, input: Bool = false) async throws -> RunReport {
        try await start(RunRequest(arguments: arguments, opensStdin: input), token: token)
    }

    func start(_ request: RunRequest, token: RunToken = .test) async throws -> RunReport {
        try await client.startRun(endpoint, boot: boot, token: token, request: request)
    }

    /// Runs a script of the container's shell to its end.
    func script(_ text: String, token: RunToken = .test) async throws -> Result {
        _ = try await start(RunRequest(arguments: ["sh", "-c", text]), token: token)
        return try await finish(token: token)
    }

    struct Result: Equatable {
        var stdout = ""
        var stderr = ""
        var lostBytes: UInt64 = 0
        var report: RunReport
    }

    /// Follows a run to its end by the daemon's means, a log included.
    func finish(token: RunToken = .test) async throws -> Result {
        let store = try OutputStore(directory: FilePath("\(directory)/logs"))
        let key = OutputKey(uid: token.hex, run: 1, attempt: 1)
        let report = try await RunFollower(client: client).follow(
            endpoint, boot: boot, token: token, into: store.writer(for: key))
        var result = Result(report: report)
        for try await chunk in try store.read(key) {
            switch chunk.stream {
            case .stdout: result.stdout += String(buffer: chunk.bytes)
            case .stderr: result.stderr += String(buffer: chunk.bytes)
            case .gap: result.lostBytes += chunk.lostBytes ?? 0
            case .end: break
            }
        }
        return result
    }

    /// Waits until a run has written as much as this to stdout.
    func awaitOutput(_ text: String, token: RunToken = .test) async throws {
        var seen = ""
        var offset: UInt64 = 0
        while !seen.contains(text) {
            var (report, frames) = try await client.readRun(
                endpoint, boot: boot, token: token, offset: offset, wait: .seconds(100))
            offset = report.offset + UInt64(frames.readableBytes)
            while let header = frames.withUnsafeReadableBytes({ OutputFrameHeader(decoding: $0) }) {
                frames.moveReaderIndex(forwardBy: OutputFrameHeader.encodedBytes)
                seen += frames.readString(length: header.payloadBytes) ?? ""
            }
            if report.isOver(at: offset), !seen.contains(text) {
                throw Failure(description: "the run ended without writing \(text)")
            }
        }
    }

    /// The status of a plain request, without signature unless it is given.
    func raw(_ method: String, _ path: String, headers: [(String, String)] = []) async throws -> (
        Int, HTTPClientResponse
    ) {
        var request = HTTPClientRequest(url: endpoint.baseURL + path)
        request.method = .init(rawValue: method)
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        let response = try await httpClient.execute(request, timeout: .seconds(30))
        return (Int(response.status.code), response)
    }

    /// The status of a signed request.
    func signed(_ method: String, _ path: String) async throws -> Int {
        let nonce = RequestSignature.freshNonce()
        let signature = RequestSignature(
            secret: endpoint.secret, method: method, path: path, boot: boot, nonce: nonce,
            body: UnsafeRawBufferPointer(start: nil, count: 0))
        return try await raw(
            method, path,
            headers: [
                (AgentHeader.nonce, nonce), (AgentHeader.boot, boot.hex), (AgentHeader.signature, signature.hex),
            ]
        ).0
    }

    /// A session with the agent, its handshake done.
    func session() async throws -> SessionProbe {
        let probe = SessionProbe(socketPath: socketPath, secret: endpoint.secret, boot: boot)
        try await probe.connect()
        return probe
    }

    /// Where the container finds `/.skls/run/relay.sock`.
    var relayPath: String { "\(directory)/run/relay.sock" }

    var socketPath: String { "\(directory)/run/agent.sock" }

    // MARK: arranging

    /// The agent is built beside this bundle; a target that depended on it would be linked statically as well.
    private static func agentPath() throws -> String {
        let bundle = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let agent = URL(fileURLWithPath: bundle).deletingLastPathComponent().appendingPathComponent("skls-agent").path
        guard FileManager.default.isExecutableFile(atPath: agent) else {
            throw Failure(description: "\(agent) is missing: build the product skls-agent")
        }
        return agent
    }

    private static func shell(_ script: String, _ arguments: [String]) async throws {
        let result = try await Subprocess.run(
            .path("/bin/sh"), arguments: Arguments(["-euc", script, "sh"] + arguments), output: .discarded,
            error: .string(limit: 4096))
        guard result.terminationStatus == .exited(0) else {
            throw Failure(description: "cannot arrange a container: \(result.standardError)")
        }
    }

    /// Makes a root of busybox. Started as root, everything is given to the user that bubblewrap will run as.
    private static let arrange = """
        for tool in bwrap busybox; do
            command -v $tool >/dev/null || { echo "$tool is missing: apt-get install bubblewrap busybox-static" >&2; exit 1; }
        done
        mkdir -m 755 "$1"
        cd "$1"
        busybox=$(command -v busybox)
        mkdir -p root/bin "root${busybox%/*}" root/etc root/root root/dev root/proc root/.skls/run run
        mkdir -m 1777 root/tmp
        cp "$busybox" "root$busybox"
        "$busybox" --install -s root/bin
        echo 'root:x:0:0:root:/root:/bin/sh' > root/etc/passwd
        echo 'root:x:0:' > root/etc/group
        cp "$2" root/.skls/agent
        if [ "$(id -u)" = 0 ]; then chown -hR 65534:65534 "$1"; fi
        """

    /// Becomes bubblewrap, for the directory and with the options that are given. Started as root, it drops to a user
    /// without rights first.
    private static let launch = """
        directory=$1
        shift
        cd "$directory"
        drop=
        if [ "$(/usr/bin/id -u)" = 0 ]; then drop='/usr/bin/setpriv --reuid 65534 --regid 65534 --clear-groups'; fi
        exec $drop /usr/bin/bwrap --bind root / --bind run /.skls/run --dev /dev --proc /proc \\
            --ro-bind /proc/sys /proc/sys --unshare-all --hostname box --uid 0 --gid 0 --cap-drop ALL --clearenv \\
            --setenv SKLS_AGENT_LISTEN unix:/.skls/run/agent.sock "$@" \\
            --die-with-parent --json-status-fd 3 -- /.skls/agent 3>status 2>log
        """
}
