import HTTPTypes
import HummingbirdCore
import NIOCore

/// Kudu over HTTP: short answers, and the live stream of a site's log for as long as its client listens.
struct KuduStream: Sendable {
    let simulation: Simulation
    let watch: DisconnectWatch
    /// How often the World is told that time goes by for a follower.
    let beat: Duration

    /// The client of a stream went away.
    private struct ClientGone: Error {}

    /// Throws when the client is gone: the connection then closes.
    @concurrent func respond(
        to request: Request, control: ControlRequest, entry: RequestEntry, writer: consuming ResponseWriter,
        channel: any Channel
    ) async throws {
        switch await simulation.answer({ .follow($0, control) }) {
        case .reply(let reply): try await SimulatorServer.write(reply, to: request, entry: entry, writer: writer)
        case .forward, .reset:
            throw SimulatorError(code: .configuration, message: "a log stream was answered with neither log nor page")
        case .stream(let id, let output):
            entry.answered(status: 200)
            defer { simulation.report(.abandoned(id)) }
            let head = HTTPResponse(
                status: .ok, headerFields: [.contentType: "text/event-stream", .cacheControl: "no-cache"])
            try await stream(output, id: id, head: head, writer: writer, channel: channel)
        }
    }

    @concurrent private func stream(
        _ output: AsyncStream<[UInt8]>, id: RequestID, head: HTTPResponse, writer: consuming ResponseWriter,
        channel: any Channel
    ) async throws {
        let (buffers, sink) = RequestBody.makeStream()
        var body = try await writer.writeHead(head)
        try await withThrowingTaskGroup(of: Void.self) { group in
            watch.set(channel) { sink.finish(ClientGone()) }
            defer {
                watch.clear(channel)
                group.cancelAll()
            }
            group.addTask {
                for await bytes in output { await sink.yield(ByteBuffer(bytes: bytes)) }
                sink.finish()
            }
            group.addTask { [simulation, beat] in
                while true {
                    // Time passes in the World only by events, so the stream's heartbeat has to come from a clock here.
                    // The sleep throws only when it is cancelled, with the stream.
                    do { try await Task.sleep(for: beat) } catch { return }
                    simulation.report(.beat(id))
                }
            }
            for try await buffer in buffers { try await body.write(buffer) }
        }
        try await body.finish(nil)
    }
}
