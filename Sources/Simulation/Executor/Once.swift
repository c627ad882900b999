/// A value that comes once, for one waiter. Whoever comes second with a value comes too late.
///
/// Unchecked: everything of a simulation happens on the one thread of its executor.
final class Once<Value: Sendable>: @unchecked Sendable {
    private var value: Value?
    private var waiter: CheckedContinuation<Value, Never>?

    /// The value if it has come.
    var peek: Value? { value }

    func resolve(_ new: Value) {
        guard value == nil else { return }
        value = new
        let waiting = waiter
        waiter = nil
        waiting?.resume(returning: new)
    }

    /// - Parameter onCancel: what the value is if the waiting task is cancelled first.
    func wait(onCancel: Value) async -> Value {
        await withTaskCancellationHandler {
            if let value { return value }
            return await withCheckedContinuation { continuation in waiter = continuation }
        } onCancel: {
            resolve(onCancel)
        }
    }
}
