import NIOConcurrencyHelpers
import NIOCore

/// The clients that are there.
final class FrontendConnections: Sendable {
    private struct State {
        var open: [ObjectIdentifier: any Channel] = [:]
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let limit: Int
    private let state = NIOLockedValueBox(State())

    init(limit: Int) {
        self.limit = limit
    }

    /// False when there are too many. The channel leaves by being closed.
    func enter(_ channel: any Channel) -> Bool {
        let id = ObjectIdentifier(channel)
        let isIn = state.withLockedValue { state in
            guard state.open.count < limit else { return false }
            state.open[id] = channel
            return true
        }
        if isIn { channel.closeFuture.whenComplete { _ in self.leave(id) } }
        return isIn
    }

    private func leave(_ id: ObjectIdentifier) {
        let waiter = state.withLockedValue { state -> CheckedContinuation<Void, Never>? in
            state.open[id] = nil
            guard state.open.isEmpty else { return nil }
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }

    /// Returns when nobody is there any more. For one caller, after the last has come; `closeAll` ends it as well.
    func empty() async {
        await withCheckedContinuation { continuation in
            let isEmpty = state.withLockedValue { state in
                if !state.open.isEmpty { state.waiter = continuation }
                return state.open.isEmpty
            }
            if isEmpty { continuation.resume() }
        }
    }

    func closeAll() {
        for channel in state.withLockedValue({ Array($0.open.values) }) { channel.close(promise: nil) }
    }
}
