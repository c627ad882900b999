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
    package func subscribeToAll() -> AsyncStream<Void> { subscribe(\.watchers, .bufferingNewest(1)) }

    /// An element after each commit that left events.
    package func subscribeToEvents() -> AsyncStream<Void> { subscribe(\.listeners, .bufferingNewest(1)) }

    /// The records that users' commits touched. Unbounded, since its one reader only marks keys as dirty.
    package func subscribeToUserChanges() -> AsyncStream<[UID]> { subscribe(\.controllers, .unbounded) }

    private func subscribe<Element>(
        _ place: any WritableKeyPath<State, [Int: AsyncStream<Element>.Continuation]> & Sendable,
        _ policy: AsyncStream<Element>.Continuation.BufferingPolicy
    ) -> AsyncStream<Element> {
        let (stream, continuation) = AsyncStream.makeStream(of: Element.self, bufferingPolicy: policy)
        let id = state.withLockedValue { state in
            state.nextID += 1
            state[keyPath: place][state.nextID] = continuation
            return state.nextID
        }
        continuation.onTermination = { [weak self] _ in
            self?.state.withLockedValue { $0[keyPath: place][id] = nil }
        }
        return stream
    }

    package func publishEvents() {
        state.withLockedValue { state in
            for continuation in state.listeners.values { continuation.yield() }
        }
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
