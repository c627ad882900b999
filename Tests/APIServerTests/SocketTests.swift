import Foundation
import NIOCore
import Testing

@testable import APIServer

@Suite("The listening socket", .timeLimit(.minutes(1)))
struct SocketTests {
    private func mode(_ path: String) -> UInt32 {
        var status = stat()
        return lstat(path, &status) == 0 ? status.st_mode : 0
    }

    @Test("it is for owner and group, nothing else is left in the directory, and its path goes with it")
    func lifecycle() throws {
        let directory = try TestDirectory()
        defer { directory.remove() }
        let path = directory.path + "/s"
        do {
            let socket = try ListeningSocket(path: path)
            #expect(mode(path) == S_IFSOCK | 0o660)
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["s"])
            socket.removePath()
            close(socket.descriptor)
        }
        #expect(mode(path) == 0)
    }

    @Test("a live socket is not stolen; a stale one is replaced")
    func liveAndStale() throws {
        let directory = try TestDirectory()
        defer { directory.remove() }
        let path = directory.path + "/s"
        let first = try ListeningSocket(path: path)
        #expect(throws: ListeningSocketError.inUse(path)) { _ = try ListeningSocket(path: path) }
        #expect("\(ListeningSocketError.inUse(path))" == "another daemon listens on \(path)")
        close(first.descriptor)
        let second = try ListeningSocket(path: path)
        // The first one's owner must not remove what is not its own any more.
        first.removePath()
        #expect(mode(path) == S_IFSOCK | 0o660)
        second.removePath()
        close(second.descriptor)
    }

    @Test("symbolic links and other files are left alone, and the directory must exist")
    func others() throws {
        let directory = try TestDirectory()
        defer { directory.remove() }
        let file = directory.path + "/file"
        try "x".write(toFile: file, atomically: true, encoding: .utf8)
        let link = directory.path + "/link"
        #expect(symlink(directory.path + "/target", link) == 0)
        for path in [file, link] {
            #expect(throws: ListeningSocketError.notASocket(path)) { _ = try ListeningSocket(path: path) }
        }
        #expect(throws: ListeningSocketError.self) { _ = try ListeningSocket(path: directory.path + "/none/s") }
        let long = directory.path + "/" + String(repeating: "x", count: 120)
        #expect(throws: ListeningSocketError.self) { _ = try ListeningSocket(path: long) }
        #expect(try String(contentsOfFile: file, encoding: .utf8) == "x")
    }
}

@Suite("The end of the server", .timeLimit(.minutes(1)))
struct ShutdownTests {
    @Test("a graceful shutdown ends who waits for containers, and removes the socket")
    func graceful() async throws {
        try await TestServer.with { server in
            let id = try await server.create(["hold"])
            _ = try await server.request("POST", "/containers/\(id)/start")
            try await RawClient.with(server.socketPath) { session in
                try await session.send(attach(id))
                _ = try await session.read(through: "\r\n\r\n")
                await server.shutDown()
                #expect(try await session.readToEnd().readableBytes == 0)
            }
            for await _ in server.stopped {}
            #expect(access(server.socketPath, F_OK) != 0)
        }
    }
}
