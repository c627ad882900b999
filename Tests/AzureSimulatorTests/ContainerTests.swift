import Foundation
import Testing

@testable import AzureSimulator

/// Containers that run, with scripts in place of the agent. What a script does, it does inside of bubblewrap.
@Suite(.timeLimit(.minutes(1))) struct ContainerTests {
    @Test func `a container sees its own machine and nothing of the host`() async throws {
        let script = """
            echo "host $(hostname) $(hostname | wc -c)"; echo "user $(id -u):$(id -g)"; echo "pid $$"
            echo "links $(ls /sys/class/net 2>/dev/null | wc -l) $(ip -o link | wc -l)"
            echo "caps $(grep CapEff /proc/self/status)"; echo "env $(env | sort | tr '\\n' ' ')"
            echo x > /proc/sys/kernel/core_pattern || echo "sys read-only"; echo "os $(grep ^ID= /etc/os-release)"
            echo "fds $(ls /proc/self/fd | tr '\\n' ' ')"; echo x > /.skls/agent || echo "agent read-only"
            echo "cmd $(tr '\\0' ' ' < /proc/1/cmdline)"; touch /root/a /tmp/b && echo "writable"; exec sleep 1000
            """
        try await RunningSimulator.run(agent: .script(script)) { simulator in
            _ = try await simulator.put("a1", settings: ["A": "the value"])
            var log = ""
            try await simulator.until {
                log = try await simulator.log("a1")
                return log.contains("writable")
            }
            #expect(log.contains(/host [0-9a-f]{12} 13/))
            #expect(log.contains("user 0:0"))
            #expect(log.contains("pid 1\n"))
            #expect(log.contains("links 0 1"))
            #expect(log.contains(/CapEff:\s+0{16}/))
            #expect(log.contains(" A=the value "))
            #expect(log.contains("APPSETTING_A=the value"))
            #expect(log.contains("SKLS_AGENT_LISTEN=unix:/.skls/run/agent.sock"))
            #expect(log.contains("WEBSITE_SITE_NAME=a1"))
            #expect(!log.contains("TMPDIR") && !log.contains("SHLVL=2"))
            #expect(log.contains("sys read-only"))
            #expect(log.contains("agent read-only"))
            #expect(log.contains("os ID=alpine"))
            #expect(log.contains("fds 0 1 2 3 \n"))  // 3 is the folder that ls reads
        }
    }

    /// Bubblewrap's child waits for a word of bubblewrap, and for nothing else, before it asks to die with it.
    @Test func `a container that is deleted before bubblewrap has let it go on leaves no process behind`() async throws
    {
        let folder = FileManager.default.temporaryDirectory.appending(path: "skls-test-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }  // a temporary folder that stays harms nobody
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: folder)
        let standIn = """
            #!/bin/sh
            case "$*" in *" /bin/true") exec bwrap "$@" ;; esac
            sleep 1000 >/dev/null 2>&1 3>&- 4>&- & echo $! > \(folder)/child; wait
            """
        try standIn.write(toFile: "\(folder)/bwrap", atomically: false, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: "\(folder)/bwrap")
        let isMade = FileManager.default.createFile(
            atPath: "\(folder)/child", contents: nil, attributes: [.posixPermissions: 0o666])
        try #require(isMade)
        try await RunningSimulator.run(agent: .script("true")) {
            $0.bubblewrap = "\(folder)/bwrap"
        } body: { simulator in
            _ = try await simulator.put("a1")
            var child: Int32?
            try await simulator.until {
                child = Int32(try String(contentsOfFile: "\(folder)/child", encoding: .utf8).dropLast())
                return child != nil
            }
            let processID = try #require(child)
            _ = try await simulator.delete("a1")
            try await simulator.until { kill(processID, 0) != 0 }
        }
    }

    @Test func `a container that removes everything harms nothing, and is cleaned up`() async throws {
        let script = """
            mkdir -p /tmp/a/b/c; touch /tmp/a/b/c/d; chmod 0 /tmp/a/b /tmp/a; ln -s / /tmp/root
            i=0; cd /tmp; while [ $i -lt 300 ]; do mkdir d; cd d; i=$((i+1)); done; touch end
            echo ready; read x < /.skls/run/nothing; rm -rf / 2>/dev/null; exec sleep 1000
            """
        try await RunningSimulator.run(agent: .script(script)) { simulator in
            let marker = "\(simulator.address.directory)/marker"
            try "kept".write(toFile: marker, atomically: false, encoding: .utf8)
            _ = try await simulator.put("a1")
            try await simulator.until { try await simulator.log("a1").contains("ready") }
            _ = try await simulator.put("a2")
            try await simulator.until { try await simulator.log("a2").contains("ready") }
            #expect(FileManager.default.fileExists(atPath: marker))
            #expect(FileManager.default.fileExists(atPath: "\(simulator.address.directory)/agent"))

            _ = try await simulator.delete("a1")
            _ = try await simulator.delete("a2")
            try await simulator.until { try simulator.entries("run").isEmpty }
            // What is left are spares.
            try await simulator.until { try simulator.entries("roots").count <= 2 }
            #expect(try simulator.entries("sites").isEmpty)
        }
    }

    @Test func `a container that exits starts again with another id, and says so in its log`() async throws {
        try await RunningSimulator.run(agent: .script("echo started; exit 3")) { simulator in
            _ = try await simulator.put("a1")
            var log = ""
            try await simulator.until {
                log = try await simulator.log("a1")
                return log.split(separator: "\n").count { $0 == "started" } >= 2
            }
            #expect(log.contains("has exited, failing site start"))
            let names = log.matches(of: /container (a1_\d_[0-9a-f]{8}) for/).map { String($0.output.1) }
            #expect(Set(names).count >= 2)
            #expect(try await simulator.send(simulator.visit("a1")).status == 503)
        }
    }

    @Test func `a request that waits is told when the start fails`() async throws {
        try await RunningSimulator.run(agent: .script("sleep 0.3; exit 1")) { simulator in
            _ = try await simulator.put("a1")
            let page = try await simulator.send(simulator.visit("a1"))
            #expect(page.status == 503)
            #expect(page.text.contains("Application Error"))
        }
    }

    @Test func `a socket that is a link out of the container is not followed`() async throws {
        // The target exists on the host: the simulator itself would be let in.
        let script = "ln -s /run/outside.sock /.skls/run/agent.sock; echo linked; exec sleep 1000"
        try await RunningSimulator.run(agent: .script(script)) { simulator in
            _ = try await simulator.put("a1")
            try await simulator.until { try await simulator.log("a1").contains("linked") }
            let folder = try #require(try simulator.entries("run").first)
            #expect(AgentConnection(socketPath: "\(simulator.address.directory)/run/\(folder)/agent.sock") == nil)
            _ = try await simulator.delete("a1")
        }
    }

    @Test func `the container of a deleted site ends, though it does not want to`() async throws {
        try await RunningSimulator.run(agent: .script("trap '' TERM; echo is-running; while :; do sleep 1; done")) {
            simulator in
            _ = try await simulator.put("a1")
            try await simulator.until { try await simulator.log("a1").contains("is-running") }
            let process = try String(contentsOfFile: "\(simulator.address.directory)/sites/a1.pid", encoding: .utf8)
            let folder = "/proc/\(process.dropLast())"
            #expect(try await simulator.delete("a1").status == 200)
            try await simulator.until { !FileManager.default.fileExists(atPath: folder) }
        }
    }

    @Test func `lines of execution are in the journal at once`() async throws {
        let script = "echo 'skls-agent: exec token=T boot=B' >&2; exec sleep 1000"
        try await RunningSimulator.run(agent: .script(script)) { simulator in
            _ = try await simulator.put("a1")
            try await simulator.until { try !simulator.journal("executions").isEmpty }
            let lines = try simulator.journal("executions")
            #expect(lines.count == 1)
            #expect(lines.first?.string("site") == "a1")
            #expect(lines.first?.string("token") == "T")
            #expect(lines.first?.string("boot") == "B")
        }
    }

    @Test func `an image can be a folder`() async throws {
        let root = FileManager.default.temporaryDirectory.appending(path: "skls-root-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: root) }  // a temporary folder that stays harms nobody
        try FileManager.default.createDirectory(at: root.appending(path: "bin"), withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: "/bin/busybox", toPath: root.appending(path: "bin/busybox").path)
        try FileManager.default.createSymbolicLink(
            atPath: root.appending(path: "bin/sh").path, withDestinationPath: "busybox")
        try "mine".write(to: root.appending(path: "file"), atomically: false, encoding: .utf8)
        try await RunningSimulator.run(
            agent: .script("busybox cat /file; echo changed > /file; exec busybox sleep 1000")
        ) {
            $0.imageRoots = ["team/tool": root.path]
        } body: { simulator in
            _ = try await simulator.put("a1", image: "team/tool:3")
            try await simulator.until { try await simulator.log("a1").contains("mine") }
            #expect(try String(contentsOf: root.appending(path: "file"), encoding: .utf8) == "mine")
        }
    }

    @Test func `containers end with the simulator`() async throws {
        let process = try await RunningSimulator.run { simulator in
            _ = try await simulator.put("a1")
            let path = "\(simulator.address.directory)/sites/a1.pid"
            try await simulator.until { FileManager.default.fileExists(atPath: path) }
            return try String(contentsOfFile: path, encoding: .utf8).dropLast()
        }
        #expect(!FileManager.default.fileExists(atPath: "/proc/\(process)"))
    }
}
