import AsyncAlgorithms
import HummingbirdCore
import NIOCore

/// A request's body on its way to the container.
///
/// It has one reader, which has stopped when ``stop()`` returns. What is not read of a body the server reads itself once
/// the request is answered, and a second reader at that moment ends the process; the client that sends to the container may
/// read on after an early answer.
struct Upload: Sendable {
    /// For the container.
    let body = AsyncThrowingChannel<ByteBuffer, any Error>()
    private let reader: Task<Void, Never>

    init(of source: RequestBody) {
        let body = body
        reader = Task {
            do {
                for try await buffer in source { await body.send(buffer) }
                body.finish()
            } catch {
                body.fail(error)
            }
        }
    }

    /// What has not been read by now goes nowhere, and the client's connection has no further use.
    func stop() async {
        reader.cancel()
        await reader.value
    }
}
