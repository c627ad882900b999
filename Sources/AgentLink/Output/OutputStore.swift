import NIOConcurrencyHelpers
package import NIOCore
package import SystemPackage

/// The logs of all runs: one append-only file for each attempt, which the controller drains an agent into and the API
/// follows.
///
/// A log holds the agent's frames as they came, a gap frame where some are missing, and an end frame once it is
/// complete. Only logs in use take memory or a descriptor.
package final class OutputStore: Sendable {
    private let directory: FilePath
    private let live = NIOLockedValueBox<[OutputKey: Entry]>([:])

    /// An entry of the table of logs in use. The log leaves the table as it goes, so an entry may be dead for a moment;
    /// then it is replaced.
    private final class Entry: Sendable {
        weak let log: OutputLog?

        init(_ log: OutputLog) { self.log = log }
    }

    /// Uses a directory, creating it (0700) if it does not exist; its parent must.
    package init(directory: FilePath) throws(AgentError) {
        self.directory = directory
        try OutputFile.createDirectory(directory)
    }

    /// Opens a log for appending, creating it if need be. A torn frame at its end, left by a crash, is cut off.
    ///
    /// Several writers of one log share their state: what one has appended, the other skips.
    package func writer(for key: OutputKey) throws(AgentError) -> OutputWriter {
        let log = try log(for: key)
        try OutputFile.createDirectory(directory(of: key.uid))
        try log.openForWriting()
        return OutputWriter(log: log)
    }

    /// The frames of a log from a position on, and all that will be added, until it is sealed. The log need not exist
    /// yet. It is in use from this call on: what is in it stays readable even if the log is removed meanwhile.
    ///
    /// - Parameter position: zero, or the ``OutputChunk/position`` of a chunk.
    package func follow(_ key: OutputKey, from position: UInt64 = 0) throws(AgentError) -> OutputChunks {
        let log = try log(for: key)
        _ = try log.view()
        return OutputChunks(log: log, start: position, limit: nil)
    }

    /// The frames that are in a log now; none if it does not exist. Position as for ``follow(_:from:)``.
    package func read(_ key: OutputKey, from position: UInt64 = 0) throws(AgentError) -> OutputChunks {
        let log = try log(for: key)
        let size = try log.view().descriptor.map { descriptor throws(AgentError) in
            try OutputFile.size(of: descriptor)
        }
        return OutputChunks(log: log, start: position, limit: size ?? 0)
    }

    /// Whether the log exists and is complete.
    package func isSealed(_ key: OutputKey) throws(AgentError) -> Bool {
        try OutputFile.isSealed(path(of: key))
    }

    /// Removes all logs of a record. Who reads one gets what is in it, then its end; who writes one gets `logRemoved`.
    /// It is no error if there are none.
    package func remove(uid: String) throws(AgentError) {
        try OutputFile.removeDirectory(directory(of: uid))
        let logs = live.withLockedValue { live in
            let keys = live.keys.filter { $0.uid == uid }
            return keys.compactMap { live.removeValue(forKey: $0)?.log }
        }
        for log in logs { log.markRemoved() }
    }

    /// Removes one log, with the same effects. It is no error if there is none.
    package func remove(_ key: OutputKey) throws(AgentError) {
        try OutputFile.remove(path(of: key))
        let log = live.withLockedValue { live -> OutputLog? in
            guard let entry = live.removeValue(forKey: key) else { return nil }
            return entry.log
        }
        log?.markRemoved()
    }

    /// The object of a log in use, made if it is not.
    private func log(for key: OutputKey) throws(AgentError) -> OutputLog {
        let path = try path(of: key)
        return live.withLockedValue { live in
            if let log = live[key]?.log { return log }
            let log = OutputLog(key: key, path: path) { [weak self] in self?.forget(key) }
            live[key] = Entry(log)
            return log
        }
    }

    /// Called as a log goes. By then another may have taken its place; that one is alive.
    private func forget(_ key: OutputKey) {
        // Kept until the lock is free: if ours were the last reference to that one, it would go here, and come here.
        let other = live.withLockedValue { live -> OutputLog? in
            guard let entry = live[key] else { return nil }
            let other = entry.log
            if other == nil { live[key] = nil }
            return other
        }
        withExtendedLifetime(other) {}
    }

    private func directory(of uid: String) throws(AgentError) -> FilePath {
        let isName = uid.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
        guard isName, (1...128).contains(uid.utf8.count) else {
            throw AgentError(.storage(.invalidArgument), operation: "name a log")
        }
        return directory.appending(uid)
    }

    private func path(of key: OutputKey) throws(AgentError) -> FilePath {
        try directory(of: key.uid).appending("\(key.run).\(key.attempt).frames")
    }
}

/// Appends to one log.
package final class OutputWriter: Sendable {
    private let log: OutputLog

    init(log: OutputLog) {
        self.log = log
    }

    /// The agent's offset behind what the log holds: what to ask the agent for next.
    package var nextOffset: UInt64 { log.nextOffset }

    /// Appends whole frames that begin at an agent's offset. What the log holds already is skipped; where the offset is
    /// beyond ``nextOffset`` a gap frame is written first, even if there are no frames.
    ///
    /// - Throws: `storage`; `logSealed` if there is anything new; `logRemoved`; `invalidReply` for frames that are none.
    package func append(_ frames: ByteBuffer, at offset: UInt64) throws(AgentError) {
        try log.append(frames, at: offset)
    }

    /// Marks the log as complete, durably. Sealing again does nothing.
    package func seal() throws(AgentError) {
        try log.seal()
    }
}
