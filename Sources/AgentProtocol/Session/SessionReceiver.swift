/// One direction of a channel, at the end that receives: in order, nothing twice, and told how much was consumed.
package struct SessionReceiver: Sendable {
    /// Behind the last byte that arrived.
    private(set) package var received: UInt64
    private var consumed: UInt64
    private var acknowledged: UInt64
    private var messagesSinceAck = 0
    private(set) package var isEnded = false

    /// An acknowledgement is due after this much was consumed …
    private static let ackBytes = SessionLimit.windowBytes / 4
    /// … or after so many messages: what is kept at the other end costs more than its bytes.
    private static let ackMessages = 64

    /// - Parameter offset: of the first byte that is expected.
    package init(offset: UInt64 = 0) {
        received = offset
        consumed = offset
        acknowledged = offset
    }

    /// Whether these bytes come next, and are no more than the window lets the other end send.
    package mutating func takes(offset: UInt64, count: Int) -> Bool {
        guard !isEnded, offset == received, received - consumed + UInt64(count) <= SessionLimit.windowBytes else {
            return false
        }
        received += UInt64(count)
        messagesSinceAck += 1
        return true
    }

    /// Whether an end at this offset can be; once more is no harm.
    package mutating func takesEnd(offset: UInt64) -> Bool {
        guard offset == received else { return false }
        isEnded = true
        return true
    }

    /// Bytes up to an offset were consumed.
    ///
    /// - Returns: the offset to acknowledge, if one is due.
    package mutating func consumed(upTo offset: UInt64) -> UInt64? {
        consumed = max(consumed, min(offset, received))
        let pending = consumed - acknowledged
        let isDue = pending >= Self.ackBytes || (messagesSinceAck >= Self.ackMessages && pending > 0)
        return isDue ? acknowledge() : nil
    }

    /// A connection is there.
    ///
    /// - Returns: the offset to acknowledge anew, since the last acknowledgement may be lost.
    package mutating func resumed() -> UInt64? {
        consumed > 0 ? acknowledge() : nil
    }

    /// What comes next begins later than was expected: the rest is lost. Only before the first byte.
    package mutating func skip(to offset: UInt64) {
        received = offset
        consumed = offset
        acknowledged = offset
    }

    private mutating func acknowledge() -> UInt64 {
        acknowledged = consumed
        messagesSinceAck = 0
        return consumed
    }
}
