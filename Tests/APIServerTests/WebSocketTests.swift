import DesiredState
import NIOCore
import Testing

@testable import APIServer

@Suite(.timeLimit(.minutes(1)))
struct WebSocketTests {
    /// A client's frame, masked.
    private static func frame(_ first: UInt8, _ payload: [UInt8], mask: [UInt8] = [1, 2, 3, 4]) -> ByteBuffer {
        var bytes = [first, 0x80 | UInt8(payload.count)] + mask
        bytes += payload.enumerated().map { $0.element ^ mask[$0.offset & 3] }
        return ByteBuffer(bytes: bytes)
    }

    @Test func `the handshake's answer is the specification's`() {
        #expect(WebSocketFrame.acceptance(of: "dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    }

    @Test func `frames come out whole however the bytes arrive`() throws {
        var all = Self.frame(0x89, Array("hi".utf8))
        all.writeImmutableBuffer(Self.frame(0x82, Array(repeating: 7, count: 100)))
        var parser = WebSocketParser()
        var frames: [WebSocketFrame] = []
        for byte in all.readableBytesView {
            parser.append(ByteBuffer(bytes: [byte]))
            while let frame = try parser.next() { frames.append(frame) }
        }
        #expect(frames.map(\.opcode) == [.ping, .binary])
        #expect(frames.map { String(buffer: $0.payload).utf8.count } == [2, 100])
        #expect(String(buffer: frames[0].payload) == "hi")
    }

    @Test(
        arguments: [
            [0x82, 0x02, 1, 2],  // not masked
            [0xc2, 0x80, 0, 0, 0, 0],  // a reserved bit
            [0x83, 0x80, 0, 0, 0, 0],  // no such opcode
            [0x09, 0x80, 0, 0, 0, 0],  // a control frame in parts
            [0x89, 0xfe, 0, 126],  // a long control frame
            [0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],  // longer than any memory
        ] as [[UInt8]])
    func `breaches of the protocol end the connection`(bytes: [UInt8]) {
        var parser = WebSocketParser()
        parser.append(ByteBuffer(bytes: bytes))
        #expect(throws: WebSocketParser.Violation.self) { _ = try parser.next() }
    }

    @Test func `lengths are written in the shortest form`() {
        #expect(WebSocketFrame.encode(.binary, ByteBuffer(repeating: 1, count: 125)).readableBytes == 127)
        #expect(WebSocketFrame.encode(.binary, ByteBuffer(repeating: 1, count: 126)).readableBytes == 130)
        #expect(WebSocketFrame.encode(.binary, ByteBuffer(repeating: 1, count: 65_536)).readableBytes == 65_546)
        let close = WebSocketFrame.encodeClose(.protocolError, String(repeating: "é", count: 100))
        #expect(close.readableBytes == 2 + 2 + 122, "cut between characters")
    }

    // MARK: over the socket

    private func upgrade(_ path: String) -> String {
        "GET /internal/v1\(path) HTTP/1.1\r\nHost: any\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    }

    @Test func `wait tells the exit code in one message and says its farewell`() async throws {
        try await TestServer.with { server in
            let id = try await server.create(["hold"], name: "h")
            _ = try await server.request("POST", "/containers/h/start")
            try await RawClient.with(server.socketPath) { session in
                try await session.send(upgrade("/containers/h/wait?condition=next-exit"))
                let head = try await session.read(through: "\r\n\r\n")
                #expect(head.hasPrefix("HTTP/1.1 101 Switching Protocols\r\n"))
                #expect(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="))
                try await session.send(Self.frame(0x89, Array("hi".utf8)))
                #expect(try await session.read(bytes: 4) == ByteBuffer(bytes: [0x8a, 2] + Array("hi".utf8)))
                _ = try await server.request("POST", "/containers/\(id)/kill")
                let text = "{\"StatusCode\":137}"
                #expect(try await session.read(bytes: 2) == ByteBuffer(bytes: [0x81, UInt8(text.utf8.count)]))
                #expect(String(buffer: try await session.read(bytes: text.utf8.count)) == text)
                #expect(try await session.read(bytes: 4) == ByteBuffer(bytes: [0x88, 2, 0x03, 0xe8]))
                try await session.send(Self.frame(0x88, [0x03, 0xe8]))
                _ = try await session.readToEnd()
            }
        }
    }

    @Test func `a log stream holds one frame of Docker's in each message and ends where nothing can be followed`()
        async throws
    {
        try await TestServer.with { server in
            let id = try await server.create(["hold"], name: "h")
            _ = try await server.request("POST", "/containers/h/start")
            try await server.controller.say(try #require(UID(id)), "so far\n")
            try await RawClient.with(server.socketPath) { session in
                try await session.send(upgrade("/containers/h/logs/stream?tail=5"))
                _ = try await session.read(through: "\r\n\r\n")
                let expected = [0x82, 15, 1, 0, 0, 0, 0, 0, 0, 7] + Array("so far\n".utf8) + [0x88, 2, 0x03, 0xe8]
                #expect(try await session.read(bytes: expected.count) == ByteBuffer(bytes: expected))
                try await session.send(Self.frame(0x88, [0x03, 0xe8]))
                _ = try await session.readToEnd()
            }
        }
    }

    @Test func `what is not there is refused before the upgrade, and an unmasked frame ends the connection`()
        async throws
    {
        try await TestServer.with { server in
            try await RawClient.with(server.socketPath) { session in
                try await session.send(upgrade("/containers/nope/wait"))
                #expect(try await session.response().status == 404)
            }
            _ = try await server.create(["hold"], name: "h")
            try await RawClient.with(server.socketPath) { session in
                try await session.send(upgrade("/containers/h/wait?condition=next-exit"))
                _ = try await session.read(through: "\r\n\r\n")
                try await session.send("\u{01}\u{02}xx")
                let end = try await session.readToEnd()
                #expect(end.readableBytesView.starts(with: [0x88]), "a close frame comes first")
                #expect(end.getInteger(at: end.readerIndex + 2, as: UInt16.self) == 1002)
            }
        }
    }

    // MARK: attach

    private func attach(_ id: String, _ query: String, version: String = "/v1.51") -> String {
        upgrade("").replacing("/internal/v1", with: "\(version)/containers/\(id)/attach/ws?\(query)")
    }

    @Test func `an attached socket gets the output as bytes, from before the start to the end`() async throws {
        try await TestServer.with { server in
            let id = try await server.create(["play", "out:one\\n", "err:two\\n"])
            try await RawClient.with(server.socketPath) { session in
                try await session.send(attach(id, "stream=1&stdout=1&stderr=1"))
                let head = try await session.read(through: "\r\n\r\n")
                #expect(head.hasPrefix("HTTP/1.1 101 Switching Protocols\r\n"))
                _ = try await server.request("POST", "/containers/\(id)/start")
                let expected =
                    [0x82, 4] + Array("one\n".utf8) + [0x82, 4] + Array("two\n".utf8) + [0x88, 2, 0x03, 0xe8]
                #expect(try await session.read(bytes: expected.count) == ByteBuffer(bytes: expected))
                try await session.send(Self.frame(0x88, [0x03, 0xe8]))
                _ = try await session.readToEnd()
            }
            try await RawClient.with(server.socketPath) { session in
                try await session.send(attach(id, "logs=1&stdout=1"))
                _ = try await session.read(through: "\r\n\r\n")
                let expected = [0x82, 4] + Array("one\n".utf8) + [0x88, 2, 0x03, 0xe8]
                #expect(try await session.read(bytes: expected.count) == ByteBuffer(bytes: expected))
            }
        }
    }

    @Test func `what an attached socket sends is the command's input, and its farewell the input's end`() async throws {
        try await TestServer.with { server in
            let id = try await server.create(["cat"], more: #","OpenStdin":true,"StdinOnce":true"#)
            try await RawClient.with(server.socketPath) { session in
                try await session.send(attach(id, "stream=1&stdin=1&stdout=1"))
                _ = try await session.read(through: "\r\n\r\n")
                try await RawClient.with(server.socketPath) { other in
                    try await other.send(attach(id, "stream=1&stdin=1&stdout=1"))
                    #expect(try await other.response().status == 409)
                }
                try await session.send(Self.frame(0x82, Array("he".utf8)))
                _ = try await server.request("POST", "/containers/\(id)/start")
                // A message in two parts.
                try await session.send(Self.frame(0x02, Array("ll".utf8)))
                try await session.send(Self.frame(0x80, Array("o\n".utf8)))
                var text = ""
                while text != "hello\n" {
                    let head = try await session.read(bytes: 2)
                    let bytes = Array(head.readableBytesView)
                    try #require(bytes.count == 2 && bytes[0] == 0x82)
                    text += String(buffer: try await session.read(bytes: Int(bytes[1])))
                }
                try await session.send(Self.frame(0x88, [0x03, 0xe8]))
                #expect(try await session.readToEnd().readableBytesView.starts(with: [0x88]))
            }
            let end = try await server.request("POST", "/containers/\(id)/wait")
            #expect(end.body.contains("\"StatusCode\":0"), "\(end)")
            // The input is free again.
            _ = try await server.request("POST", "/containers/\(id)/start")
            try await RawClient.with(server.socketPath) { session in
                try await session.send(attach(id, "stream=1&stdin=1&stdout=1"))
                #expect(try await session.read(through: "\r\n\r\n").contains("101"))
            }
        }
    }

    @Test func `before 1 42 all streams were attached, and what is no upgrade is refused`() async throws {
        try await TestServer.with { server in
            let id = try await server.create(["play", "out:one\\n", "err:two\\n"])
            try await RawClient.with(server.socketPath) { session in
                try await session.send(attach(id, "stream=1&stdout=1", version: "/v1.41"))
                _ = try await session.read(through: "\r\n\r\n")
                _ = try await server.request("POST", "/containers/\(id)/start")
                let expected = [0x82, 4] + Array("one\n".utf8) + [0x82, 4] + Array("two\n".utf8)
                #expect(try await session.read(bytes: expected.count) == ByteBuffer(bytes: expected))
            }
            #expect(try await server.request("GET", "/containers/\(id)/attach/ws?stream=1").status == 426)
            #expect(try await server.request("GET", "/containers/\(id)/ws").status == 404)
            try await RawClient.with(server.socketPath) { session in
                try await session.send(attach("nope", "stream=1"))
                #expect(try await session.response().status == 404)
            }
        }
    }
}
