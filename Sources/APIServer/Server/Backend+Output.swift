import AgentLink
import DesiredState
import NIOConcurrencyHelpers

extension FunctionApp {
    /// The run that is open, or else the next one: what somebody who attaches now will see.
    var attachableRun: Int {
        let lastIsOpen = status.runs.last?.decidingAttempt.map { $0.outcome == nil } ?? false
        return lastIsOpen ? lastRunNumber : lastRunNumber + 1
    }

    /// All attempts in order, with the names of their logs.
    var outputKeys: [OutputKey] {
        status.runs.flatMap { run in
            run.attempts.indices.map { OutputKey(uid: uid.text, run: run.number, attempt: $0 + 1) }
        }
    }
}

extension Backend {
    typealias OutputSink = @Sendable (OutputChunk) async throws -> Void

    /// What an attempt has written so far.
    func readOutput(_ key: OutputKey, to sink: OutputSink) async throws {
        for try await chunk in try output.read(key) { try await sink(chunk) }
    }

    /// Where the output begins for somebody who attaches now: behind what is written so far, if the run is open. Asked before the client is
    /// answered, since what is written after the answer is the client's.
    func attachStart(
        _ record: FunctionApp, withEarlierOutput: Bool
    ) async throws -> (attempt: Int, position: UInt64) {
        guard !withEarlierOutput, let run = record.status.runs.last, run.number == record.attachableRun else {
            return (1, 0)
        }
        let attempt = max(1, (run.attempts.lastIndex { !$0.isFollowed } ?? 0) + 1)
        return (attempt, try await outputEnd(OutputKey(uid: record.uid.text, run: run.number, attempt: attempt)))
    }

    /// Where the log ends now.
    private func outputEnd(_ key: OutputKey) async throws -> UInt64 {
        var position: UInt64 = 0
        for try await chunk in try output.read(key) { position = chunk.position }
        return position
    }

    /// Hands over the output of a run, which may not have begun yet, until all of it was handed over. A record that is removed meanwhile changes
    /// nothing: who reads a log gets it whole. An attempt that was refused has no output, and another one follows it.
    func followOutput(
        _ uid: UID, run: Int, fromAttempt first: Int = 1, position: UInt64 = 0, to sink: @escaping OutputSink
    ) async throws {
        var attempt = first
        var start = position
        while true {
            let key = OutputKey(uid: uid.text, run: run, attempt: attempt)
            // The order matters: a log that is followed before its record is seen alive tells the follower when it is removed.
            let chunks = try output.follow(key, from: start)
            guard let record = try await store.load(uid)?.record, !record.isBeingDeleted || record.hasOpenRun else {
                return try await readOutput(key, to: sink)
            }
            try await follow(chunks, key, of: uid, from: start, to: sink)
            guard try await isFollowed(by: attempt + 1, run: run, of: uid) else { return }
            attempt += 1
            start = 0
        }
    }

    /// Whether there is another attempt of the run, or will be one because the last was refused or is tried again; then it is waited for.
    private func isFollowed(by attempt: Int, run: Int, of uid: UID) async throws -> Bool {
        try await wait(for: uid) { record in
            guard let attempts = record?.status.runs.last(where: { $0.number == run })?.attempts else { return false }
            if attempts.count >= attempt { return true }
            return attempts.last?.isFollowed == true && record?.isBeingDeleted == false ? nil : false
        }
    }

    private enum FollowEvent: Sendable {
        /// The log is sealed, or removed: all of it was handed over.
        case drained
        /// The attempt's outcome is known, or the record is gone.
        case ended(isGone: Bool)
    }

    /// Hands over the log to its seal; or, when the attempt ended without one (nobody knows what else it wrote), what there is. Returns only when the
    /// attempt's outcome is known as well, which is a little after the seal: who has seen the end finds the run ended, so that a start that comes next
    /// begins another one, and an attach is to that one.
    private func follow(
        _ chunks: OutputChunks, _ key: OutputKey, of uid: UID, from start: UInt64, to sink: @escaping OutputSink
    ) async throws {
        let position = NIOLockedValueBox(start)
        let isCut = try await withThrowingTaskGroup(of: FollowEvent.self) { group in
            group.addTask {
                for try await chunk in chunks {
                    try await sink(chunk)
                    position.withLockedValue { $0 = chunk.position }
                }
                return .drained
            }
            group.addTask {
                try await wait(for: uid) { record in
                    guard let record else { return .ended(isGone: true) }
                    let attempts = record.status.runs.last { $0.number == key.run }?.attempts ?? []
                    let isOver = attempts.count >= key.attempt && attempts[key.attempt - 1].outcome != nil
                    return isOver || record.lastRunNumber > key.run ? .ended(isGone: false) : nil
                }
            }
            defer { group.cancelAll() }
            var isDrained = false
            while let event = try await group.next() {
                switch event {
                case .drained: isDrained = true
                case .ended(let isGone):
                    if !isDrained, !isGone, try !output.isSealed(key) { return true }
                }
            }
            return false
        }
        try Task.checkCancellation()
        guard isCut else { return }
        for try await chunk in try output.read(key, from: position.withLockedValue { $0 }) { try await sink(chunk) }
    }
}
