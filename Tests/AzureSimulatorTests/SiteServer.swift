import HTTPTypes
import HummingbirdCore
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

@testable import AzureSimulator

/// An HTTP server in place of the one in a container. It listens where the container's agent would, in the folder that
/// both sides see, so that tests decide what a site answers.
enum SiteServer {
    /// Starts the site `name`, waits until the front end has found it, and serves it while `body` runs.
    /// - Parameter waiting: counts the requests of `/wait` that are under way.
    static func serve<Result: Sendable>(
        _ name: String, in simulator: RunningSimulator, waiting: NIOLockedValueBox<Int> = .init(0),
        body: @Sendable () async throws -> Result
    ) async throws -> Result {
        _ = try await simulator.put(name)
        try await simulator.until { try !simulator.entries("run").isEmpty }
        let folder = try simulator.entries("run")[0]
        let server = Server(
            childChannelSetup: DeferredHTTPChannel(
                base: HTTP1Channel(responder: { request, writer, channel in
                    try await respond(to: request, writer: writer, channel: channel, waiting: waiting)
                })),
            configuration: ServerConfiguration(
                address: .unixDomainSocket(path: "\(simulator.address.directory)/run/\(folder)/agent.sock")),
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: Logger(label: "site"))
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run() }
            defer { group.cancelAll() }
            try await simulator.until { try await simulator.log(name).contains("is ready to serve requests") }
            return try await body()
        }
    }

    @concurrent private static func respond(
        to request: Request, writer: consuming ResponseWriter, channel: any Channel, waiting: NIOLockedValueBox<Int>
    ) async throws {
        switch request.uri.path {
        case "/headers":
            var text = "target: \(request.head.path ?? "")\nhost: \(request.head.authority ?? "")\n"
            for field in request.headers { text += "\(field.name.canonicalName): \(field.value)\n" }
            let head = HTTPResponse(
                status: .init(code: 299, reasonPhrase: "Odd"),
                headerFields: [
                    .contentLength: "\(text.utf8.count)", .connection: "server", .server: "private",
                    .vary: "public",
                ])
            try await writer.write(response: head, body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
        case "/echo":
            var body = try await writer.writeHead(HTTPResponse(status: .ok))
            for try await buffer in request.body { try await body.write(buffer) }
            try await body.finish(nil)
        case "/large":
            var body = try await writer.writeHead(HTTPResponse(status: .ok))
            let piece = ByteBuffer(repeating: UInt8(ascii: "x"), count: 1 << 20)
            for _ in 0..<64 { try await body.write(piece) }
            try await body.finish(nil)
        case "/wait":
            waiting.withLockedValue { $0 += 1 }
            // Ends when the front end closes its connection.
            try await channel.closeFuture.get()
            waiting.withLockedValue { $0 -= 1 }
        case "/half":
            var body = try await writer.writeHead(HTTPResponse(status: .ok, headerFields: [.contentLength: "10"]))
            try await body.write(ByteBuffer(string: "12345"))
            try await channel.closeFuture.get()
        case "/endless":
            waiting.withLockedValue { $0 += 1 }
            defer { waiting.withLockedValue { $0 -= 1 } }
            // Ends by an error when the front end closes its connection.
            var body = try await writer.writeHead(HTTPResponse(status: .ok))
            while true {
                try await body.write(ByteBuffer(repeating: 0, count: 10_000))
                // As fast as it can it would take every processor from all other tests.
                try await Task.sleep(for: .milliseconds(1))
            }
        case "/hang-up": channel.close(promise: nil)
        default:
            try await writer.writeResponse(HTTPResponse(status: .ok, headerFields: [.contentLength: "0"]))
        }
    }
}
