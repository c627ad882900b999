import AsyncAlgorithms
import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore

/// A connection that became a WebSocket. What the client says is answered (pings), handed over to who hears it, or dropped.
struct WebSocketConnection: Sendable {
    private let raw: RawConnection

    /// How long the client has for its half of the farewell.
    private static let farewell: Duration = .seconds(2)

    /// Returns when the socket took it, which is the back-pressure. Throws when the peer is gone.
    func send(_ opcode: WebSocketFrame.Opcode, _ payload: ByteBuffer) async throws {
        try await raw.write(WebSocketFrame.encode(opcode, payload))
    }

    /// Says its farewell and closes, without waiting for the client's.
    func hangUp() async {
        await farewell(WebSocketFrame.encodeClose(.normal))
        raw.channel.close(promise: nil)
    }

    /// Throws what ``response(_:hearing:speak:)`` would refuse.
    static func check(_ exchange: Exchange) throws(DockerError) {
        _ = try handshakeKey(exchange)
    }

    /// The response that turns the exchange's connection into a WebSocket, runs `speak` on it and closes it in order. The client's end, or its
    /// breach of the protocol, cancels `speak`; so does the daemon's end. Throws 400 and 426 for requests that are no upgrade, before anything is done.
    ///
    /// - Parameter heard: gets the payloads of the client's messages, and its end. Then `speak` is not cancelled when the client has left: it has to notice
    ///   itself that the connection is closed, or that the daemon stops.
    static func response(
        _ exchange: Exchange, hearing heard: AsyncThrowingChannel<ByteBuffer, any Error>? = nil,
        speak: @escaping @Sendable (WebSocketConnection) async throws -> Void
    ) async throws -> Response {
        let key = try handshakeKey(exchange)
        let raw: RawConnection
        do {
            raw = try await exchange.channel.hijack()
        } catch {
            // The client is gone, so nobody reads the answer.
            throw CancellationError()
        }
        let connection = WebSocketConnection(raw: raw)
        return Response(
            status: .init(code: 101, reasonPhrase: "Switching Protocols"),
            headers: [
                .connection: "Upgrade", .upgrade: "websocket", .webSocketAccept: WebSocketFrame.acceptance(of: key),
            ],
            body: .init { writer in
                await connection.run(exchange, heard, speak)
                try await writer.finish(nil)
            })
    }

    private static func handshakeKey(_ exchange: Exchange) throws(DockerError) -> String {
        let headers = exchange.request.headers
        guard headers[.upgrade]?.lowercased() == "websocket" else {
            throw DockerError(.init(code: 426, reasonPhrase: "Upgrade Required"), "this path speaks WebSocket only")
        }
        guard headers[.webSocketVersion] == "13" else {
            throw .invalidParameter("Sec-WebSocket-Version", "only version 13 is spoken")
        }
        guard let key = headers[.webSocketKey], key.utf8.count == 24 else {
            throw .invalidParameter("Sec-WebSocket-Key", "16 bytes in base 64 are expected")
        }
        return key
    }

    private enum End: Sendable {
        case spoken(WebSocketFrame.CloseCode)
        case left
        case violated(String)
    }

    private func run(
        _ exchange: Exchange, _ heard: AsyncThrowingChannel<ByteBuffer, any Error>?,
        _ speak: @escaping @Sendable (WebSocketConnection) async throws -> Void
    ) async {
        await withTaskGroup(of: End.self) { group in
            group.addTask {
                let end = await listen(heard)
                heard?.finish()
                return end
            }
            group.addTask {
                do {
                    if heard != nil {
                        try await speak(self)
                    } else {
                        try await exchange.untilHangUp { try await speak(self) }
                    }
                    return .spoken(.normal)
                } catch is CancellationError {
                    return .spoken(.goingAway)
                } catch {
                    exchange.logger.warning("a WebSocket ended early", metadata: ["error": "\(error)"])
                    return .spoken(.internalError)
                }
            }
            switch await group.next() {
            case .spoken(let code)?:
                await farewell(WebSocketFrame.encodeClose(code))
                group.addTask {
                    // A client that does not say its farewell is waited for no longer. Cancelled when it has: that is all the error.
                    try? await Task.sleep(for: WebSocketConnection.farewell)
                    return .left
                }
                _ = await group.next()
            case .violated(let reason)?: await farewell(WebSocketFrame.encodeClose(.protocolError, reason))
            case .left? where heard != nil:
                // What it said is still brought to its end.
                raw.channel.close(promise: nil)
                _ = await group.next()
            case .left?, nil: break
            }
            group.cancelAll()
        }
    }

    /// A client that is gone needs no farewell.
    private func farewell(_ frame: ByteBuffer) async {
        try? await raw.write(frame)
    }

    /// Returns when the client says or does its end.
    private func listen(_ heard: AsyncThrowingChannel<ByteBuffer, any Error>?) async -> End {
        var parser = WebSocketParser()
        do {
            for try await bytes in raw.inbound {
                parser.append(bytes)
                while let frame = try parser.next() {
                    switch frame.opcode {
                    case .close:
                        await farewell(WebSocketFrame.encode(.close, frame.payload))
                        return .left
                    case .ping: try await send(.pong, frame.payload)
                    case .text, .binary, .continuation: await heard?.send(frame.payload)
                    case .pong: break
                    }
                }
            }
        } catch let violation as WebSocketParser.Violation {
            return .violated(violation.reason)
        } catch {
            // A broken connection is an end like any other.
        }
        return .left
    }
}

extension HTTPField.Name {
    static let webSocketKey = HTTPField.Name("Sec-WebSocket-Key", default: .server)
    static let webSocketVersion = HTTPField.Name("Sec-WebSocket-Version", default: .server)
    static let webSocketAccept = HTTPField.Name("Sec-WebSocket-Accept", default: .server)
}
