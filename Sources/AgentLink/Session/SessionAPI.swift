package import AgentProtocol
package import NIOCore

/// Tasks in containers, through sessions with their agents.
package protocol SessionAPI: Sendable {
    /// Begins a task, or finds one again that this name began in this boot.
    ///
    /// - Parameters:
    ///   - endpoint: the site's agent.
    ///   - boot: the life of the agent that is meant; another one refuses.
    ///   - name: 32 to 64 hex digits. A name begins its task once; who asks again gets the same task's streams.
    ///   - offset: how many bytes of its output the caller has; 0 for a new one.
    ///   - isKnown: the name began its task before, so that nothing may be begun now; an agent that knows it no more
    ///     gives `unknownTask`. What is left of the output comes from where the agent still has it.
    /// Returns when the agent has begun: a command has a process by then, or could not be executed, which the result
    /// tells.
    func open(
        _ task: SessionTask, name: String, endpoint: AgentEndpoint, boot: BootID, offset: UInt64, isKnown: Bool
    ) async throws(SessionError) -> any SessionChannel
}

/// The daemon's end of one task. A connection that breaks is made again underneath, and nothing is lost or repeated;
/// when that is given up, or the agent is another by then, the calls throw.
package protocol SessionChannel: Sendable {
    /// What is known when the task has begun: `pid` of an exec, ``PathFact`` of an archive.
    var facts: [String: String] { get }
    /// The next bytes; nil after the last ones. Reading is what lets the agent send more. For one reader.
    func read() async throws(SessionError) -> SessionOutput?
    /// How the task ended, when it has; does not wait for the output to be read.
    func result() async throws(SessionError) -> SessionResult
    /// Returns when the agent has room for more. Throws `ended` when nobody reads the input any more.
    func write(_ bytes: ByteBuffer) async throws(SessionError)
    /// Ends the input behind what was written.
    func endInput() async throws(SessionError)
    func resize(to size: TerminalSize) async throws(SessionError)
    /// A name without `SIG`, or a number; to the task's process.
    func signal(_ signal: String) async throws(SessionError)
    /// The caller wants nothing more of it. A command goes on, and its output is dropped; any other task ends.
    func release()
}

package struct SessionOutput: Sendable {
    package let stream: FrameStream
    package let bytes: ByteBuffer
    /// Behind these bytes.
    package let offset: UInt64

    package init(stream: FrameStream, bytes: ByteBuffer, offset: UInt64) {
        self.stream = stream
        self.bytes = bytes
        self.offset = offset
    }
}

package struct SessionError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Code: Hashable, Sendable {
        /// Sessions are off, or the container has no agent that offers them.
        case unavailable
        /// No connection could be had or kept.
        case unreachable
        /// Another boot of the agent: the task went with the old one.
        case otherBoot
        /// The agent does not know the name any more.
        case unknownTask
        /// The agent does as many tasks as it can.
        case busy
        /// The agent refuses the task; the detail says why.
        case refused
        /// The task has ended, or takes no input.
        case ended
        case cancelled
    }

    package let code: Code
    package let detail: String

    package init(_ code: Code, _ detail: String = "") {
        self.code = code
        self.detail = detail
    }

    package var description: String {
        let what =
            switch code {
            case .unavailable: "no session with the container's agent can be had"
            case .unreachable: "the container's agent did not answer"
            case .otherBoot: "the container was restarted"
            case .unknownTask: "the container's agent does not know the task any more"
            case .busy: "the container's agent is busy"
            case .refused: "the container's agent refused"
            case .ended: "it has ended"
            case .cancelled: "cancelled"
            }
        return detail.isEmpty ? what : what + ": " + detail
    }
}
