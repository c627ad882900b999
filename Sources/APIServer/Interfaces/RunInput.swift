package import AgentProtocol
package import DesiredState
package import NIOCore

/// Live traffic to the agent of an open run; everything else that users ask for goes through records.
package protocol RunInput: Sendable {
    /// Hands over bytes of the command's standard input, the first of them at `offset`, and returns when they were accepted. Bytes that were accepted
    /// before are skipped, so repeating a call is harmless. With `endOfInput` the input is closed behind them.
    func sendInput(uid: UID, token: String, offset: UInt64, bytes: ByteBuffer, endOfInput: Bool)
        async throws(RunInputError)
    /// Sends a signal to the command's process. The name comes without `SIG`, or it is a number.
    func signal(uid: UID, token: String, signal: String) async throws(RunInputError)
    /// Changes the size of the command's terminal.
    func resize(uid: UID, token: String, to size: TerminalSize) async throws(RunInputError)
}

package struct RunInputError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Code: Hashable, Sendable {
        /// The command ended, or has closed its standard input, or has none.
        case notRunning
        /// Input is missing before the offset; the next byte has to be this one.
        case gap(expected: UInt64)
        /// The agent does not know the signal.
        case invalidSignal
        /// The agent did not answer. It may have done what was asked.
        case unreachable
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
            case .notRunning: "the command is not running"
            case .gap(let expected): "input before byte \(expected) is missing"
            case .invalidSignal: "unknown signal"
            case .unreachable: "the container's agent did not answer"
            case .cancelled: "cancelled"
            }
        return detail.isEmpty ? what : what + ": " + detail
    }
}
