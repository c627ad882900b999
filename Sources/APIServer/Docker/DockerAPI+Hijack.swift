import HTTPTypes
import HummingbirdCore
import NIOCore

extension DockerAPI {
    /// Takes the connection out of HTTP for `body`, and closes it behind that. `ifGone` is called instead of it when the client has left.
    func leavingHTTP(
        _ exchange: Exchange, framing: StreamFraming, _ version: DockerVersion,
        body: @escaping @Sendable (RawConnection) async throws -> Void, ifGone: () -> Void
    ) async throws -> Response {
        let isUpgrade = exchange.request.headers[.upgrade] != nil
        let connection: RawConnection
        do {
            connection = try await exchange.channel.hijack()
        } catch {
            ifGone()
            // The client is gone, so nobody reads the answer.
            throw CancellationError()
        }
        // Only clients that upgrade are told the type.
        let type = isUpgrade ? framing.contentType(version) : StreamFrame.rawType
        return Response(
            status: isUpgrade ? .init(code: 101, reasonPhrase: "UPGRADED") : .ok,
            headers: isUpgrade
                ? [.contentType: type, .connection: "Upgrade", .upgrade: "tcp"] : [.contentType: type],
            body: .init { writer in
                if Self.losesEarlyBytes(exchange) { try await Task.sleep(for: Self.earlyBytesPause) }
                try await body(connection)
                try await writer.finish(nil)
            })
    }

    /// docker-py (see ``HeadWait``) over TCP, where nothing tells when the client has read the head.
    private static func losesEarlyBytes(_ exchange: Exchange) -> Bool {
        exchange.channel.localAddress?.protocol != .unix
            && exchange.request.headers[.userAgent]?.hasPrefix("docker-sdk-python/") ?? false
    }

    private static let earlyBytesPause: Duration = .milliseconds(20)
}
