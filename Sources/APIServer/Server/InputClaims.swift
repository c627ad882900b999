import DesiredState
import NIOConcurrencyHelpers

/// Which records' standard input is being fed by a client, and how far each attempt's input got.
///
/// In memory only: clients hold a connection while they feed, and after a restart of the daemon the agent is asked how far the input got.
final class InputClaims: Sendable {
    private struct State {
        var claimed: Set<UID> = []
        /// By token; an entry lives as long as the record's claim is used again and again, and is dropped with the end of input.
        var offsets: [String: UInt64] = [:]
    }

    private let state = NIOLockedValueBox(State())

    /// False when another client feeds this record's input: two would mix their bytes at offsets that neither knows.
    func claim(_ uid: UID) -> Bool {
        state.withLockedValue { $0.claimed.insert(uid).inserted }
    }

    func release(_ uid: UID) {
        _ = state.withLockedValue { $0.claimed.remove(uid) }
    }

    /// Bytes of input that were accepted for the attempt; `nil` when this process sent none.
    func offset(of token: String) -> UInt64? {
        state.withLockedValue { $0.offsets[token] }
    }

    /// `nil` = no more input will come.
    func setOffset(_ offset: UInt64?, of token: String) {
        state.withLockedValue { $0.offsets[token] = offset }
    }
}
