/// What the bytes for a command's stdin mean that arrive with an offset: an event machine, like ``RunMachine``.
struct InputMachine {
    enum Decision: Equatable {
        /// Write what is behind the first `skipping` bytes, then close the pipe if `closing`, then answer.
        case write(skipping: Int, closing: Bool)
        /// The command has them already.
        case done
        /// Bytes before these are missing.
        case gap
        /// The command takes no more.
        case ended
    }

    /// Behind the last byte that was given to the pipe to write.
    private(set) var acceptedOffset: UInt64 = 0
    /// Behind the last byte that the pipe has taken.
    private var writtenOffset: UInt64 = 0
    private var isEndAccepted = false
    private var isEndWritten = false
    private var isClosed: Bool

    /// - Parameter isOpen: whether the command has a pipe at all.
    init(isOpen: Bool) {
        isClosed = !isOpen
    }

    mutating func arrived(offset: UInt64, count: Int, endOfInput: Bool) -> Decision {
        let (end, overflow) = offset.addingReportingOverflow(UInt64(count))
        if overflow { return .gap }
        // A repeated request, its first answer lost: true even if the command is over by now.
        if end <= writtenOffset, !endOfInput || isEndWritten { return .done }
        if isClosed { return .ended }
        if offset > acceptedOffset { return .gap }
        if end > acceptedOffset, isEndAccepted { return .ended }
        let skipping = min(UInt64(count), acceptedOffset - offset)
        acceptedOffset = max(acceptedOffset, end)
        let closing = endOfInput && !isEndAccepted
        if endOfInput { isEndAccepted = true }
        return .write(skipping: Int(skipping), closing: closing)
    }

    /// The pipe has taken everything up to an offset, and was closed behind it if `closing`.
    mutating func wrote(upTo offset: UInt64, closing: Bool) {
        writtenOffset = max(writtenOffset, offset)
        if closing {
            isEndWritten = true
            isClosed = true
        }
    }

    /// The command closed its end, or is over.
    mutating func pipeClosed() {
        isClosed = true
    }
}
