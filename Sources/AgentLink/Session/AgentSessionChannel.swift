import AgentProtocol
import NIOCore

/// The daemon's end of one task, on whatever connection its session has. Let go with the last reference at the latest.
final class AgentSessionChannel: SessionChannel {
    let facts: [String: String]
    private let session: AgentSession
    private let id: UInt32

    init(session: AgentSession, id: UInt32, facts: [String: String]) {
        self.session = session
        self.id = id
        self.facts = facts
    }

    deinit { session.release(id) }

    func read() async throws(SessionError) -> SessionOutput? { try await session.read(id) }

    func result() async throws(SessionError) -> SessionResult { try await session.result(id) }

    /// In pieces, so that what waits here is no more than the window and one of them.
    func write(_ bytes: ByteBuffer) async throws(SessionError) {
        var rest = bytes.readableBytesView
        while !rest.isEmpty {
            let piece = rest.prefix(SessionLimit.dataBytes)
            try await session.write(id, Array(piece))
            rest = rest.dropFirst(piece.count)
        }
    }

    func endInput() async throws(SessionError) { try session.endInput(id) }

    func resize(to size: TerminalSize) async throws(SessionError) { try session.control(id, .resize(size)) }

    func signal(_ signal: String) async throws(SessionError) { try session.control(id, .signal(signal)) }

    func release() { session.release(id) }
}
