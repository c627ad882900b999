package import AgentProtocol
package import DesiredState

/// What runs have written as far as it was copied elsewhere: asked where the kept log of a run is gone, or was cut off.
package protocol LogArchive: Sendable {
    /// Asks once. No lines at all may also mean that they have not come there yet.
    func page(_ query: LogArchiveQuery) async throws(LogArchiveError) -> LogArchivePage
}

/// Which lines of an attempt are wanted.
package struct LogArchiveQuery: Hashable, Sendable {
    package enum Side: Hashable, Sendable {
        /// The first ones with a higher number; 0 = from the beginning.
        case after(UInt64)
        /// The last ones with a lower number; `nil` = from the end.
        case before(UInt64?)
    }

    /// Of the attempt.
    package var token: String
    /// Lines of another time are not looked for. Generous: the clocks are not the same.
    package var from: Instant
    package var to: Instant
    package var side: Side
    /// At most so many rows; `nil` = as many as are sensible at once.
    package var rows: Int?
}

package struct LogArchivePage: Hashable, Sendable {
    /// In the order of their numbers, each once.
    package var lines: [ConsoleLine]
    /// How many rows the answer could hold.
    package var rows: Int
    /// There are no more in that direction.
    package var isLast: Bool
    /// Why the answer is not whole; what came is good.
    package var missing: String?

    package init(lines: [ConsoleLine], rows: Int, isLast: Bool, missing: String? = nil) {
        self.lines = lines
        self.rows = rows
        self.isLast = isLast
        self.missing = missing
    }
}

package struct LogArchiveError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Code: Hashable, Sendable {
        /// Not now: it was asked too often.
        case throttled
        /// It may not be asked, or does not understand what is asked.
        case refused
        case unavailable
        /// Lines are missing, and it said why; or there are more than are read at once.
        case incomplete
        case cancelled
    }

    package let code: Code
    /// Safe to show to users.
    package let description: String

    package init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }
}
