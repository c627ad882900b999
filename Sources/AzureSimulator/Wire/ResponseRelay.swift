import HummingbirdCore
import NIOCore

/// Passes the body of a container's response on to the client as it comes.
struct ResponseRelay: Sendable {
    let watch: DisconnectWatch

    /// The client went away before it had everything.
    struct ClientGone: Error {}
    /// The response took longer than the limit.
    struct ResponseCut: Error {}

    /// Another task reads the container, so that a client that goes away, or the limit, ends a response in which nothing
    /// comes any more. Throws when either did so, when the container broke off, and when it is cancelled; the response is
    /// without its end then, and its connection has no further use.
    @concurrent func run(
        from source: some AsyncSequence<ByteBuffer, any Error> & Sendable, to writer: some ResponseBodyWriter,
        channel: any Channel, end: NIODeadline
    ) async throws {
        var body = writer
        let (buffers, sink) = RequestBody.makeStream()
        // Whatever ends this: a stream that is let go without its end ends the process.
        defer { sink.finish() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            watch.set(channel) { sink.finish(ClientGone()) }
            let cut = channel.eventLoop.scheduleTask(deadline: end) { sink.finish(ResponseCut()) }
            defer {
                watch.clear(channel)
                cut.cancel()
                group.cancelAll()
            }
            group.addTask {
                do {
                    for try await buffer in source { await sink.yield(buffer) }
                    sink.finish()
                } catch {
                    sink.finish(error)
                }
            }
            for try await buffer in buffers { try await body.write(buffer) }
            // A reader that was cancelled ends its stream as if it were whole.
            try Task.checkCancellation()
        }
        try await body.finish(nil)
    }
}
