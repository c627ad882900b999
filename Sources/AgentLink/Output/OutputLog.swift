import AgentProtocol
import NIOConcurrencyHelpers
import NIOCore
import SystemPackage

/// One log while somebody writes or follows it: its descriptor, and those who wait for it to grow.
///
/// It exists as long as a writer or a sequence holds it, so logs that nobody uses cost nothing. Its descriptors are
/// closed with it and never before, so that reading needs no lock.
final class OutputLog: Sendable {
    let key: OutputKey
    private let path: FilePath
    private let state = NIOLockedValueBox(State())
    private let onDeinit: @Sendable () -> Void

    private struct State {
        /// What to read from, and, if `tail` is known, to write to.
        var descriptor: LogDescriptor?
        /// A read-only descriptor that a writer's replaced; kept for those who may be reading from it.
        var replaced: LogDescriptor?
        /// Known once a writer has opened the log.
        var tail: OutputTail?
        var isRemoved = false
        /// Rises with everything that a follower may wait for.
        var version: UInt64 = 0
        var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
        var nextWaiter: UInt64 = 0

        mutating func changed() -> [CheckedContinuation<Void, Never>] {
            version += 1
            defer { waiters.removeAll() }
            return Array(waiters.values)
        }
    }

    init(key: OutputKey, path: FilePath, onDeinit: @escaping @Sendable () -> Void) {
        self.key = key
        self.path = path
        self.onDeinit = onDeinit
    }

    deinit {
        onDeinit()
        state.withLockedValue { state in
            if let descriptor = state.descriptor { OutputFile.close(descriptor) }
            if let descriptor = state.replaced { OutputFile.close(descriptor) }
        }
    }

    // MARK: writing

    /// Opens the log for appending, creating it if need be, and cuts off a torn frame at its end. Does nothing when it
    /// is open.
    func openForWriting() throws(AgentError) {
        try mutate("open log") { state throws(AgentError) in
            guard state.tail == nil else { return }
            let descriptor = try OutputFile.openForWriting(path)
            do throws(AgentError) {
                let tail = try OutputTail(scanning: descriptor)
                if !tail.isSealed { try OutputFile.truncate(descriptor, to: tail.size) }
                state.tail = tail
            } catch {
                OutputFile.close(descriptor)
                throw error
            }
            state.replaced = state.descriptor
            state.descriptor = descriptor
        }
    }

    var nextOffset: UInt64 { state.withLockedValue { $0.tail?.nextOffset ?? 0 } }

    /// Writes under the lock, which keeps two writers of one log in order; the write goes to the page cache.
    func append(_ frames: ByteBuffer, at offset: UInt64) throws(AgentError) {
        try write { (tail) throws(AgentError) in try tail.accept(frames, at: offset) }
    }

    /// Writes the end frame and makes everything durable. The slow part, syncing, is outside the lock.
    func seal() throws(AgentError) {
        try write { (tail) throws(AgentError) in tail.seal() }
        guard let descriptor = state.withLockedValue({ $0.descriptor }) else { return }
        if try OutputFile.isSealed(path) { return }
        try OutputFile.seal(descriptor)
        try OutputFile.syncDirectory(path.removingLastComponent())
    }

    /// Tells everybody who uses the log that its file is gone.
    func markRemoved() {
        let waiters = state.withLockedValue { state in
            state.isRemoved = true
            return state.changed()
        }
        for waiter in waiters { waiter.resume() }
    }

    private func write(_ step: (inout OutputTail) throws(AgentError) -> ByteBuffer) throws(AgentError) {
        try mutate("write log") { state throws(AgentError) in
            guard var tail = state.tail, let descriptor = state.descriptor else {
                throw AgentError(.storage(.badFileDescriptor), operation: "write log")
            }
            let position = tail.size
            let bytes = try step(&tail)
            if bytes.readableBytes > 0 { try OutputFile.write(bytes, to: descriptor, at: position) }
            // A write that failed half-way is overwritten by the next one, or cut off at the next opening.
            state.tail = tail
        }
    }

    /// Steps the state under the lock, then wakes all who wait if that went well.
    private func mutate(
        _ operation: String, _ step: (inout State) throws(AgentError) -> Void
    ) throws(AgentError) {
        let result = state.withLockedValue { state -> Result<[CheckedContinuation<Void, Never>], AgentError> in
            if state.isRemoved { return .failure(AgentError(.logRemoved, operation: operation)) }
            do throws(AgentError) {
                try step(&state)
                return .success(state.changed())
            } catch {
                return .failure(error)
            }
        }
        for waiter in try result.get() { waiter.resume() }
    }

    // MARK: following

    /// What a reader sees of the log now.
    struct View {
        let descriptor: LogDescriptor?
        /// Nothing will be added.
        let isRemoved: Bool
        let version: UInt64
    }

    /// Opens the file if it exists and is not open yet.
    func view() throws(AgentError) -> View {
        let result = state.withLockedValue { state -> Result<View, AgentError> in
            if state.descriptor == nil, !state.isRemoved {
                do throws(AgentError) {
                    state.descriptor = try OutputFile.openForReading(path)
                } catch {
                    return .failure(error)
                }
            }
            return .success(
                View(descriptor: state.descriptor, isRemoved: state.isRemoved, version: state.version))
        }
        return try result.get()
    }

    /// Returns once the log has changed since that version, at once if it has; or when the task is cancelled.
    func changed(since version: UInt64) async {
        let id = state.withLockedValue { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLockedValue { state in
                    // A cancellation that came first found nothing to resume; one that comes later finds this entry.
                    if state.version != version || Task.isCancelled { return true }
                    state.waiters[id] = continuation
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            state.withLockedValue { $0.waiters.removeValue(forKey: id) }?.resume()
        }
    }
}
