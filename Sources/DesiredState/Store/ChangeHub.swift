import NIOConcurrencyHelpers

/// Tells waiters that something was committed. A hint, never the news itself: who is woken reads the store.
package final class ChangeHub: Sendable {
    private struct State {
        var nextID = 0
        /// Waiters for one record: one pending wake-up is enough, so nothing queues up behind a slow one.
        var waiters: [UID: [Int: AsyncStream<Void>.Continuation]] = [:]
        var watchers: [Int: AsyncStream<Void>.Continuation] = [:]
        var listeners: [Int: AsyncStream<Void>.Continuation] = [:]
        var controllers: [Int: AsyncStream<[UID]>.Continuation] = [:]
    }

    private let state = NIOLockedValueBox(State())

    package init() {}

    /// An element after each commit that touched the record, several commits may be one element. Subscribe first, then read, then wait.
    package func subscribe(to uid: UID) -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let id = state.withLockedValue { state in
            state.nextID += 1
            state.waiters[uid, default: [:]][state.nextID] = continuation
            return state.nextID
        }
        continuation.onTermination = { [weak self] _ in
            self?.state.withLockedValue { state in
                state.waiters[uid]?[id] = nil
                if state.waiters[uid]?.isEmpty == true { state.waiters[uid] = nil }
            }
        }
        return stream
    }

    /// An element after each commit that touched any record.
    package func subscribeToAll() -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let id = state.withLockedValue { state in
            state.nextID += 1
            state.watchers[state.nextID] = continuation
            return state.nextID
        }
        continuation.onTermination = { [weak self] _ in
            self?.state.withLockedValue { $0.watchers[id] = nil }
        }
        return stream
    }

    /// An element after each commit that left events.
    package func subscribeToEvents() -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let id = state.withLockedValue { state in
            state.nextID += 1
            state.listeners[state.nextID] = continuation
            return state.nextID
        }
        continuation.onTermination = { [weak self] _ in
            self?.state.withLockedValue { $0.listeners[id] = nil }
        }
        return stream
    }

    package func publishEvents() {
        state.withLockedValue { state in
            for continuation in state.listeners.values { continuation.yield() }
        }
    }

    /// The records that users' commits touched. Unbounded, since its one reader only marks keys as dirty.
    package func subscribeToUserChanges() -> AsyncStream<[UID]> {
        let (stream, continuation) = AsyncStream.makeStream(of: [UID].self)
        let id = state.withLockedValue { state in
            state.nextID += 1
            state.controllers[state.nextID] = continuation
            return state.nextID
        }
        continuation.onTermination = { [weak self] _ in
            self?.state.withLockedValue { $0.controllers[id] = nil }
        }
        return stream
    }

    package func publish(_ uids: [UID], origin: Transaction.Origin) {
        guard !uids.isEmpty else { return }
        state.withLockedValue { state in
            for uid in uids {
                for continuation in (state.waiters[uid] ?? [:]).values { continuation.yield() }
            }
            for continuation in state.watchers.values { continuation.yield() }
            if origin == .user {
                for continuation in state.controllers.values { continuation.yield(uids) }
            }
        }
    }
}
