import AgentProtocol
import Testing

@testable import AgentRuntime

/// Files, processes and figures of a container, through a session with the real agent.
@Suite(.serialized, .timeLimit(.minutes(2))) struct SessionFilesTests {
    /// A session whose tasks get a name each.
    private actor Container {
        let probe: SessionProbe
        private var number = 0

        init(_ probe: SessionProbe) { self.probe = probe }

        private func name() -> SessionTaskName {
            number += 1
            return .numbered(number)
        }

        @discardableResult
        func run(_ task: SessionTask, input: [UInt8]? = nil) async throws -> SessionProbe.Outcome {
            let channel = probe.open(task, name: name())
            if let input {
                try await probe.wait(channel) { $0.facts ?? ($0.refusal != nil ? [:] : nil) }
                var rest = input[...]
                while !rest.isEmpty, !probe.isInputClosed(channel) {
                    try await probe.write(channel, Array(rest.prefix(1 << 20)))
                    rest = rest.dropFirst(1 << 20)
                }
                probe.endInput(channel)
            }
            let outcome = try await probe.finish(channel)
            probe.release(channel)
            return outcome
        }

        @discardableResult
        func shell(_ script: String, input: [UInt8]? = nil) async throws -> String {
            let task = SessionTask.exec(
                ExecRequest(arguments: ["sh", "-euc", script], opensStdin: input != nil))
            let outcome = try await run(task, input: input)
            #expect(outcome.result == SessionResult(exitCode: 0), "\(outcome.errorText)")
            return outcome.text
        }

        func extract(
            _ bytes: [UInt8], into path: String, keepsKinds: Bool = false, copiesOwners: Bool = false
        ) async throws -> SessionResult? {
            try await run(
                .extract(path: path, noOverwriteDirNonDir: keepsKinds, copiesOwners: copiesOwners), input: bytes
            ).result
        }
    }

    private func withContainer(_ body: @Sendable (Container) async throws -> Void) async throws {
        try await AgentContainer.run { agent in try await body(Container(try await agent.session())) }
    }

    private func tar(_ entries: [(TarEntry, String)]) -> [UInt8] {
        entries.flatMap { entry, content in
            var entry = entry
            entry.sizeBytes = UInt64(content.utf8.count)
            return TarWriter.header(entry) + Array(content.utf8)
                + [UInt8](repeating: 0, count: TarBlock.padding(entry.sizeBytes))
        } + TarWriter.trailer
    }

    private func entry(_ name: String, _ kind: TarEntry.Kind = .file, mode: UInt32 = 0o644) -> TarEntry {
        TarEntry(
            name: Array(name.utf8), kind: kind, mode: mode, uid: 0, gid: 0, sizeBytes: 0, modifiedSeconds: 1_600_000_000
        )
    }

    @Test("what lies at a path is told, links as links") func status() async throws {
        try await withContainer { container in
            try await container.shell(
                "mkdir /d; printf 12345 > /d/f; chmod 4640 /d/f; touch -d @1600000000 /d/f; ln -s /d/f /l; ln -s d /k")
            let file = try await container.run(.stat(path: "/d/f")).result
            #expect(
                file
                    == SessionResult(facts: [
                        PathFact.name: "f", PathFact.size: "5", PathFact.mode: String(0o104640),
                        PathFact.modified: "1600000000000000000",
                    ]))
            let link = try await container.run(.stat(path: "/l")).result
            #expect(link?.facts[PathFact.target] == "/d/f")
            let through = try await container.run(.stat(path: "/k/")).result
            #expect(through?.facts[PathFact.name] == "k")
            #expect(through?.facts[PathFact.mode].flatMap { UInt32($0) }.map { $0 & 0o170000 } == 0o040000)
            #expect(try await container.run(.stat(path: "/")).result?.facts[PathFact.name] == "/")
            #expect(try await container.run(.stat(path: "/no")).result?.failure == .notFound)
            #expect(try await container.run(.stat(path: "/d/f/x")).result?.failure == .notFound)
        }
    }

    @Test("a tree goes out and comes in again as it was") func tree() async throws {
        try await withContainer { container in
            let long = String(repeating: "a", count: 120)
            try await container.shell(
                """
                mkdir -p "/t/sub/\(long)" /t/empty
                head -c 300000 /dev/zero | tr '\\0' x > /t/big
                echo 'hello' > "/t/sub/\(long)/ünï"
                : > /t/nothing
                chmod 700 /t/empty; chmod 2751 /t/nothing
                ln -s ../nowhere /t/link; ln -s "/\(long)\(long)" /t/far; ln /t/big /t/hard; mkfifo /t/pipe
                touch -h -d @1500000000 /t/link; touch -d @1400000000 /t/big; touch -d @1300000000 /t/empty /t/sub
                """)
            let list =
                "cd %; find . | sort | while read -r f; do stat -c '%N %A %s' \"$f\"; done; find . -type f | sort | xargs md5sum; for f in big hard empty sub; do stat -c '%n %Y' $f; done"
            let before = try await container.shell(list.replacing("%;", with: "/t;"))
            let archive = try await container.run(.archive(path: "/t"))
            #expect(archive.result == SessionResult())
            #expect(archive.facts?[PathFact.name] == "t")
            #expect(try await container.extract(archive.stdout, into: "/tmp") == SessionResult())
            #expect(try await container.shell(list.replacing("%;", with: "/tmp/t;")) == before)
            #expect(before.contains("hello") == false && before.contains("ünï"))
            // And by the container's own tar.
            try await container.shell("mkdir /u; tar -x -C /u", input: archive.stdout)
            let unpacked = try await container.shell(list.replacing("%;", with: "/u/t;"))
            // That tar sets the times of directories before it fills them.
            #expect(unpacked.split(separator: "\n").dropLast() == before.split(separator: "\n").dropLast())
            let theirs = try await container.run(
                .exec(ExecRequest(arguments: ["tar", "-c", "-C", "/u", "t/big", "t/sub", "t/link"])))
            try await container.shell("mkdir /v")
            #expect(try await container.extract(theirs.stdout, into: "/v") == SessionResult())
            #expect(try await container.shell("cmp /v/t/big /t/big; cat /v/t/sub/*/*") == "hello\n")
        }
    }

    @Test("a file, a link and a directory's content go out under the names that Docker gives them") func names()
        async throws
    {
        try await withContainer { container in
            try await container.shell("mkdir /d; echo x > /d/f; ln -s f /d/l")
            for (path, expected) in [
                ("/d/f", "f\n"), ("/d/l", "l\n"), ("/d", "d/\nd/f\nd/l\n"), ("/d/", "d/\nd/f\nd/l\n"),
                ("/d/.", "./\n./f\n./l\n"),
            ] {
                let archive = try await container.run(.archive(path: path))
                #expect(archive.result == SessionResult())
                #expect(try await container.shell("tar -t", input: archive.stdout) == expected)
            }
            let missing = try await container.run(.archive(path: "/no"))
            #expect(missing.result?.failure == .notFound)
            #expect(missing.outputBytes == 0)
        }
    }

    @Test("nothing in an archive gets out of the directory that it is unpacked into") func slip() async throws {
        try await withContainer { container in
            try await container.shell("mkdir /target /outside; echo kept > /outside/f; ln -s /outside /target/old")
            let out = Array("/outside".utf8)
            let attacks: [[(TarEntry, String)]] = [
                [(entry("../outside/f"), "x")], [(entry("/outside/f"), "x")], [(entry("a/../../outside/f"), "x")],
                [(entry("old/f"), "x")], [(entry("old/new/f"), "x")],
                [(entry("link", .symbolicLink(target: out)), ""), (entry("link/f"), "x")],
                [(entry("up", .symbolicLink(target: Array("..".utf8))), ""), (entry("up/outside/f"), "x")],
                [(entry("old", .directory), ""), (entry("old/../../outside/f"), "x")],
                [(entry("hard", .hardLink(target: Array("../outside/f".utf8))), "")],
                [(entry("hard", .hardLink(target: Array("old/f".utf8))), "")],
                [(entry("hard", .hardLink(target: Array("/outside/f".utf8))), "")],
                [(entry("null", .characterDevice(major: 1, minor: 3)), "")],
            ]
            for attack in attacks {
                let result = try await container.extract(tar(attack), into: "/target")
                #expect(result?.failure == .refused || result?.failure == .notFound, "\(attack[0].0)")
                #expect(try await container.shell("cat /outside/f; ls /outside") == "kept\nf\n", "\(attack[0].0)")
                try await container.shell("rm -rf /target; mkdir /target; ln -s /outside /target/old")
            }
            // A link is replaced, not written through.
            #expect(try await container.extract(tar([(entry("old"), "new")]), into: "/target") == SessionResult())
            #expect(try await container.shell("cat /target/old /outside/f") == "newkept\n")
            // One that stays within is followed, as that of /bin often is.
            let inner: [(TarEntry, String)] = [
                (entry("usr/bin", .directory, mode: 0o755), ""),
                (entry("bin", .symbolicLink(target: Array("usr/bin".utf8))), ""),
                (entry("bin/tool"), "tool"),
            ]
            #expect(try await container.extract(tar(inner), into: "/target") == SessionResult())
            #expect(try await container.shell("cat /target/usr/bin/tool") == "tool")
        }
    }

    @Test("a directory gives way to a file and the other way round, unless that is forbidden") func kinds() async throws
    {
        try await withContainer { container in
            try await container.shell("mkdir -p /t/d/deep/er; echo x > /t/d/deep/f; echo x > /t/f; ln -s / /t/d/deep/l")
            let file = tar([(entry("d"), "file")])
            let directory = tar([(entry("f", .directory, mode: 0o755), "")])
            let refused = try await container.extract(file, into: "/t", keepsKinds: true)
            #expect(refused?.message == "cannot overwrite directory with non-directory: d")
            #expect(
                try await container.extract(directory, into: "/t", keepsKinds: true)?.message
                    == "cannot overwrite non-directory with directory: f/")
            #expect(try await container.shell("ls /t/d/deep") == "er\nf\nl\n")
            #expect(try await container.extract(file, into: "/t") == SessionResult())
            #expect(try await container.extract(directory, into: "/t") == SessionResult())
            #expect(try await container.shell("cat /t/d; ls -d /t/f/ /bin/sh") == "file/bin/sh\n/t/f/\n")
        }
    }

    @Test("what cannot be unpacked is told") func refusals() async throws {
        try await withContainer { container in
            try await container.shell("echo x > /f; mkdir /d")
            let archive = tar([(entry("f"), "content")])
            #expect(
                try await container.extract(archive, into: "/f")
                    == SessionResult(failure: .refused, message: "extraction point is not a directory"))
            #expect(try await container.extract(archive, into: "/no")?.failure == .notFound)
            let cut = try await container.extract(Array(archive.prefix(515)), into: "/d")
            #expect(cut?.message == "archive: the archive ends in the middle of an entry")
            let garbage = try await container.extract([UInt8](repeating: 7, count: 3_000_000), into: "/d")
            #expect(garbage?.failure == .refused)
            // The right to give files away is one that this container has not got.
            var owned = entry("owned")
            owned.uid = 1000
            let given = try await container.extract(tar([(owned, "")]), into: "/d", copiesOwners: true)
            #expect(given == SessionResult(facts: ["owners-refused": "1"]))
            #expect(try await container.extract(tar([(owned, "")]), into: "/d") == SessionResult())
        }
    }

    @Test("the whole file system goes out without what the kernel makes up, and with flat memory") func export()
        async throws
    {
        try await withContainer { container in
            try await container.shell("truncate -s 24M /sparse; echo mine > /etc/mine")
            func peak() async throws -> Int {
                let line = try await container.shell("grep VmHWM /proc/1/status")
                return Int(line.split(separator: " ").first { Int($0) != nil } ?? "") ?? 0
            }
            try await container.run(.archive(path: "/bin"))
            let before = try await peak()
            let archive = try await container.run(.export)
            #expect(archive.result == SessionResult())
            let after = try await peak()
            #expect(before > 0 && after - before < 8 << 10)
            var reader = TarReader()
            let names = try reader.read(archive.stdout).compactMap {
                if case .entry(let entry) = $0 { String(decoding: entry.name, as: UTF8.self) } else { nil }
            }
            try reader.finish()
            #expect(Set(["bin/sh", "dev/", "etc/mine", "proc/", "sparse"]).isSubset(of: names))
            #expect(!names.contains { $0.hasPrefix("proc/1") || $0.hasPrefix("dev/n") })
        }
    }

    @Test("what was changed since the start is listed, and nothing else") func changes() async throws {
        try await withContainer { container in
            // Something that is behind the start by more than a tick of the clock that stamps files.
            try await container.shell(
                "sleep 0.05; mkdir /new; echo x > '/new/a b'; echo y >> /etc/group; rm /etc/passwd")
            let lines = try await container.run(.changes).text.split(separator: "\n").map(String.init)
            #expect(lines.contains("A /new"))
            #expect(lines.contains("A /new/a%20b"))
            #expect(lines.contains("C /etc"))
            #expect(lines.contains { $0.hasSuffix(" /etc/group") })
            #expect(!lines.contains { $0.contains("/bin") || $0.contains("/proc") })
        }
    }

    @Test("processes are listed as ps lists them") func processes() async throws {
        try await withContainer { container in
            let sleeper = container.probe.open(
                .exec(ExecRequest(arguments: ["sh", "-c", "read -r x", "a\tb"], opensStdin: true)),
                name: .numbered(500))
            let pid = try #require(try await container.probe.wait(sleeper) { $0.facts }[ExecFact.pid])
            func list(_ arguments: String) async throws -> [[Substring]] {
                try await container.run(.processes(arguments: arguments)).text.split(separator: "\n").map {
                    $0.split(separator: "\t", omittingEmptySubsequences: false)
                }
            }
            let full = try await list("-ef")
            #expect(full[0] == ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"])
            #expect(full.allSatisfy { $0.count == 8 })
            // The agent is left out.
            #expect(!full.dropFirst().map { $0[1] }.contains("1"))
            let line = try #require(full.first { $0[1] == pid })
            #expect(line[0] == "root" && line[2] == "1" && line[5] == "?" && line[7] == "sh -c read -r x a b")
            #expect(try await list("aux")[0].count == 11)
            let chosen = try await list("ax -o pid,args=WHAT,rss")
            #expect(chosen[0] == ["PID", "WHAT", "RSS"])
            #expect(chosen.contains { $0[0] == pid && $0[1] == "sh -c read -r x a b" && Int($0[2]) ?? 0 > 0 })
            let refused = try await container.run(.processes(arguments: "-Z")).result
            #expect(refused == SessionResult(failure: .refused, message: "ps: unknown option -Z"))
        }
    }

    @Test("figures are told once, or until nobody wants them") func figures() async throws {
        try await withContainer { container in
            let once = try await container.run(.stats(once: true))
            #expect(once.result == SessionResult())
            let figures = UsageFigure.values(line: once.text.dropLast())
            #expect(figures[.processes] ?? 0 >= 1)
            for figure in [
                UsageFigure.memoryBytes, .memoryLimitBytes, .cpuNanoseconds, .systemNanoseconds, .processors,
            ] {
                #expect(figures[figure] ?? 0 > 0 || figure == .cpuNanoseconds, "\(figure)")
            }
            let channel = container.probe.open(.stats(once: false), name: .numbered(500))
            try await container.probe.wait(channel) { $0.text.count { $0 == "\n" } >= 2 ? () : nil }
            container.probe.release(channel)
        }
    }
}
