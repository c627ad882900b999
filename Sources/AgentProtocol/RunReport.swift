/// What an agent says of a run: the status headers of a reply.
package struct RunReport: Equatable, Sendable {
    package var state: AgentState
    /// 0–255 once the run is over: the command's own, 128 + n when signal n ended it, 126 or 127 when it could not be
    /// executed. Nil while running.
    package var exitCode: Int?
    /// With `failed`: why, in words for a user. Else nil.
    package var message: String?
    /// Set when the agent itself ended the run.
    package var reason: AgentReason?
    /// By the container's wall clock, since 1970.
    package var startedAtNanoseconds: UInt64
    /// When the command ended, by the same clock. Nil while running.
    package var finishedAtNanoseconds: UInt64?
    /// Offset of the first byte of output that came with this report: beyond what was asked for if that is lost.
    package var offset: UInt64
    /// Offset behind the last byte of output that exists so far.
    package var end: UInt64

    package init(
        state: AgentState, exitCode: Int? = nil, message: String? = nil, reason: AgentReason? = nil,
        startedAtNanoseconds: UInt64, finishedAtNanoseconds: UInt64? = nil, offset: UInt64, end: UInt64
    ) {
        self.state = state
        self.exitCode = exitCode
        self.message = message
        self.reason = reason
        self.startedAtNanoseconds = startedAtNanoseconds
        self.finishedAtNanoseconds = finishedAtNanoseconds
        self.offset = offset
        self.end = end
    }

    /// Whether the command is over and nothing is left to read behind `offset`.
    package func isOver(at offset: UInt64) -> Bool {
        state != .running && offset >= end
    }
}

extension RunReport {
    /// The headers that tell this report.
    package var headers: [(name: String, value: String)] {
        var headers = [
            (name: AgentHeader.state, value: state.rawValue),
            (name: AgentHeader.startedAt, value: String(startedAtNanoseconds)),
            (name: AgentHeader.offset, value: String(offset)),
            (name: AgentHeader.end, value: String(end)),
        ]
        if let exitCode { headers.append((AgentHeader.exitCode, String(exitCode))) }
        if let message { headers.append((AgentHeader.message, PercentEncoding.encode(message))) }
        if let reason { headers.append((AgentHeader.reason, reason.rawValue)) }
        if let finishedAtNanoseconds { headers.append((AgentHeader.finishedAt, String(finishedAtNanoseconds))) }
        return headers
    }

    /// Reads a report. Nil when a header that must be there is missing, or one does not make sense: a final state
    /// without exit code, an offset behind the end.
    ///
    /// - Parameter header: the value of a header field, by name.
    package init?(header: (String) -> String?) {
        guard let state = header(AgentHeader.state).flatMap(AgentState.init(rawValue:)),
            let startedAt = header(AgentHeader.startedAt).flatMap(UInt64.init),
            let offset = header(AgentHeader.offset).flatMap(UInt64.init),
            let end = header(AgentHeader.end).flatMap(UInt64.init), offset <= end
        else { return nil }
        self.init(state: state, startedAtNanoseconds: startedAt, offset: offset, end: end)
        if state != .running {
            guard let code = header(AgentHeader.exitCode).flatMap(Int.init), (0...255).contains(code) else {
                return nil
            }
            exitCode = code
            finishedAtNanoseconds = header(AgentHeader.finishedAt).flatMap(UInt64.init)
        }
        message = header(AgentHeader.message).flatMap(PercentEncoding.decode)
        reason = header(AgentHeader.reason).flatMap(AgentReason.init(rawValue:))
    }
}
