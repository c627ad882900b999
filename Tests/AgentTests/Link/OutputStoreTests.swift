import AgentLink
import AgentProtocol
import Foundation
import NIOCore
import SystemPackage
import Testing

@Suite(.timeLimit(.minutes(1))) struct OutputStoreTests {
    private let key = OutputKey(uid: "a1", run: 1, attempt: 1)

    @Test("what was appended is read back, in order, with its positions") func roundTrip() async throws {
        try await withStore { store, _ in
            let writer = try store.writer(for: key)
            try writer.append(frame("one"), at: 0)
            try writer.append(frame("two", .stderr), at: 19)
            #expect(writer.nextOffset == 38)
            #expect(try await texts(store.read(key)) == ["stdout one", "stderr two"])
            #expect(try await texts(store.read(key, from: 19)) == ["stderr two"])
            #expect(try await texts(store.read(OutputKey(uid: "a1", run: 2, attempt: 1))) == [])
        }
    }

    @Test("a writer goes on where another life stopped, without what was torn") func tornTail() async throws {
        for torn in [
            [UInt8](repeating: 0, count: 5), Array(frame("lost").readableBytesView.dropLast()), [0, 0, 0, 0, 7, 7],
        ] {
            try await withStore { store, directory in
                try store.writer(for: key).append(frame("one"), at: 0)
                let path = directory.appending("a1/1.1.frames").string
                let handle = try #require(FileHandle(forWritingAtPath: path))
                try handle.seekToEnd()
                try handle.write(contentsOf: torn)
                try handle.close()
                #expect(try await texts(store.read(key)) == ["stdout one"])
                let writer = try store.writer(for: key)
                #expect(writer.nextOffset == 19)
                try writer.append(frame("two"), at: 19)
                #expect(try await texts(store.read(key)) == ["stdout one", "stdout two"])
            }
        }
    }

    @Test("frames that overlap are written once") func overlap() async throws {
        try await withStore { store, _ in
            let writer = try store.writer(for: key)
            var both = frame("one")
            both.writeImmutableBuffer(frame("two"))
            try writer.append(frame("one"), at: 0)
            try writer.append(both, at: 0)
            try writer.append(frame("two"), at: 19)
            #expect(writer.nextOffset == 38)
            #expect(try await texts(store.read(key)) == ["stdout one", "stdout two"])
            #expect(
                code { try writer.append(both, at: 5) } == .invalidReply("frames overlap at an offset inside a frame"))
            #expect(
                code { try writer.append(ByteBuffer(string: "junk"), at: 38) } == .invalidReply("frames are not whole"))
            #expect(writer.nextOffset == 38)
        }
    }

    @Test("missing output becomes a gap that counts in the agent's offset") func gap() async throws {
        try await withStore { store, _ in
            let writer = try store.writer(for: key)
            try writer.append(frame("one"), at: 0)
            try writer.append(frame("two"), at: 1000)
            #expect(writer.nextOffset == 1019)
            try writer.append(ByteBuffer(), at: 2000)
            #expect(writer.nextOffset == 2000)
            #expect(try await texts(store.read(key)) == ["stdout one", "gap 981", "stdout two", "gap 981"])
        }
        try await withStore { store, _ in
            // The same, over a restart: offsets are found again from the file.
            try store.writer(for: key).append(frame("one"), at: 1000)
            #expect(try store.writer(for: key).nextOffset == 1019)
        }
    }

    @Test("a sealed log is read-only, says so, and takes nothing more") func seal() async throws {
        try await withStore { store, directory in
            let path = directory.appending("a1/1.1.frames").string
            #expect(try !store.isSealed(key))
            let writer = try store.writer(for: key)
            try writer.append(frame("one"), at: 0)
            #expect(try mode(path) == 0o600)
            #expect(try mode(directory.string) == 0o700)
            #expect(try !store.isSealed(key))
            try writer.seal()
            try writer.seal()
            #expect(try store.isSealed(key))
            #expect(try mode(path) == 0o400)
            #expect(code { try writer.append(frame("two"), at: 19) } == .logSealed)
            try writer.append(frame("one"), at: 0)
            let again = try store.writer(for: key)
            #expect(again.nextOffset == 19)
            try again.seal()
            #expect(try await texts(store.follow(key)) == ["stdout one"])
        }
    }

    @Test("a command cannot fake the end of its log") func fakeSeal() async throws {
        try await withStore { store, _ in
            let writer = try store.writer(for: key)
            let fake = OutputFrameHeader(stream: .end, payloadBytes: 0, timestampNanoseconds: 0).encoded
            try writer.append(frame(bytes: fake), at: 0)
            #expect(try !store.isSealed(key))
            try writer.append(frame("two"), at: 32)
            #expect(try await texts(store.read(key)).last == "stdout two")
        }
    }

    @Test("a follower that was there first gets everything up to the seal") func followFirst() async throws {
        try await withStore { store, _ in
            let chunks = try store.follow(key)
            async let followed = texts(chunks)
            let writer = try store.writer(for: key)
            var expected: [String] = []
            for number in 0..<500 {
                try writer.append(frame("\(number)"), at: writer.nextOffset)
                expected.append("stdout \(number)")
                if number % 50 == 0 { await Task.yield() }
            }
            try writer.seal()
            #expect(try await followed == expected)
        }
    }

    @Test("many followers of one log all get all of it") func manyFollowers() async throws {
        try await withStore { store, _ in
            let writer = try store.writer(for: key)
            let big = frame(bytes: [UInt8](repeating: 1, count: 60000))
            try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<8 {
                    let chunks = try store.follow(key)
                    group.addTask { try await chunks.reduce(0) { $0 + $1.bytes.readableBytes } }
                }
                for _ in 0..<50 { try writer.append(big, at: writer.nextOffset) }
                try writer.seal()
                for try await bytes in group { #expect(bytes == 50 * 60000) }
            }
        }
    }

    @Test("a cancelled follower ends") func cancelled() async throws {
        try await withStore { store, _ in
            let writer = try store.writer(for: key)
            try writer.append(frame("one"), at: 0)
            let chunks = try store.follow(key)
            let first = AsyncStream<Void>.makeStream()
            let follower = Task {
                var count = 0
                for try await _ in chunks {
                    count += 1
                    first.continuation.yield()
                }
                return count
            }
            for await _ in first.stream { break }
            follower.cancel()
            #expect(try await follower.value == 1)
        }
    }

    @Test("a removed log ends for its followers behind what was in it") func removed() async throws {
        try await withStore { store, directory in
            let writer = try store.writer(for: key)
            try writer.append(frame("one"), at: 0)
            let late = try store.follow(key)
            let never = try store.follow(OutputKey(uid: "a1", run: 9, attempt: 1))
            async let ended = texts(never)
            try store.remove(uid: "a1")
            try store.remove(uid: "a1")
            #expect(try await texts(late) == ["stdout one"])
            #expect(try await ended == [])
            #expect(code { try writer.append(frame("two"), at: 19) } == .logRemoved)
            #expect(!FileManager.default.fileExists(atPath: directory.appending("a1").string))
            #expect(try await texts(store.read(key)) == [])
        }
    }

    @Test("one log is removed, and the record's others stay") func removedAlone() async throws {
        try await withStore { store, directory in
            let other = OutputKey(uid: key.uid, run: key.run + 1, attempt: 1)
            for (key, text) in [(key, "one"), (other, "two")] {
                let writer = try store.writer(for: key)
                try writer.append(frame(text), at: 0)
                try writer.seal()
            }
            let late = try store.follow(key)
            try store.remove(key)
            try store.remove(key)
            #expect(try await texts(late) == ["stdout one"])
            #expect(try await texts(store.read(key)) == [])
            #expect(try await texts(store.read(other)) == ["stdout two"])
        }
    }

    @Test("logs that nobody uses hold no descriptor") func descriptors() async throws {
        try await withStore { store, directory in
            for run in 0..<300 {
                let writer = try store.writer(for: OutputKey(uid: "many", run: run, attempt: 1))
                try writer.append(frame("x"), at: 0)
                _ = try await texts(store.read(OutputKey(uid: "many", run: run, attempt: 1)))
            }
            let open = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").filter {
                // A descriptor that another test has closed meanwhile has no target.
                let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)")
                return target?.hasPrefix(directory.string) == true
            }
            #expect(open == [])
        }
    }

    @Test("a uid that is no file name is refused", arguments: ["", "..", "a/b", "a\u{0}b"]) func names(uid: String)
        async throws
    {
        try await withStore { store, _ in
            #expect(
                code { _ = try store.writer(for: OutputKey(uid: uid, run: 1, attempt: 1)) }
                    == .storage(.invalidArgument))
            #expect(code { try store.remove(uid: uid) } == .storage(.invalidArgument))
        }
    }

    // MARK: arranging

    private func withStore(_ body: (OutputStore, FilePath) async throws -> Void) async throws {
        let directory = FilePath(NSTemporaryDirectory()).appending("skls-logs-\(UUID().uuidString)")
        // What a failed removal leaves is in the temporary directory.
        defer { try? FileManager.default.removeItem(atPath: directory.string) }
        try await body(OutputStore(directory: directory), directory)
    }

    private func mode(_ path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }

    private func code(_ body: () throws -> Void) -> AgentError.Code? {
        do {
            try body()
            return nil
        } catch {
            return (error as? AgentError)?.code
        }
    }
}

/// One frame of a text.
func frame(_ text: String, _ stream: FrameStream = .stdout) -> ByteBuffer {
    frame(bytes: Array(text.utf8), stream)
}

func frame(bytes: [UInt8], _ stream: FrameStream = .stdout) -> ByteBuffer {
    ByteBuffer(
        bytes: OutputFrameHeader(stream: stream, payloadBytes: bytes.count, timestampNanoseconds: 1).encoded + bytes)
}

/// `STREAM TEXT` of each chunk, `gap BYTES` of each gap.
func texts(_ chunks: OutputChunks) async throws -> [String] {
    var texts: [String] = []
    for try await chunk in chunks {
        texts.append(chunk.lostBytes.map { "gap \($0)" } ?? "\(chunk.stream) \(String(buffer: chunk.bytes))")
    }
    return texts
}
