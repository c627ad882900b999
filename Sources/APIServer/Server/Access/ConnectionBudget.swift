import NIOConcurrencyHelpers

/// How many connections are open, of all listeners together and of those on TCP: strangers there must not keep the socket's users out.
final class ConnectionBudget: Sendable {
    private struct State {
        var all = 0
        var tcp = 0
    }

    private let limits: APIServerConfiguration.Limits
    private let state = NIOLockedValueBox(State())

    init(_ limits: APIServerConfiguration.Limits) {
        self.limits = limits
    }

    /// Every true needs its `close`.
    func open(isTCP: Bool) -> Bool {
        state.withLockedValue { state in
            guard state.all < limits.connections, !isTCP || state.tcp < limits.tcpConnections else { return false }
            state.all += 1
            if isTCP { state.tcp += 1 }
            return true
        }
    }

    func close(isTCP: Bool) {
        state.withLockedValue { state in
            state.all -= 1
            if isTCP { state.tcp -= 1 }
        }
    }
}
