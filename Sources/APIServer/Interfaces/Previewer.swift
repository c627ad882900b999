package import DesiredState

/// Tells what the controller would do about a record, with what it knows now. Changes nothing.
package protocol Previewer: Sendable {
    /// - Parameters:
    ///   - record: as it would be stored.
    ///   - stored: as it is stored now, with what belongs to it; `nil` for a record that does not exist yet.
    func preview(_ record: FunctionApp, replacing stored: StoredRecord?) -> [PlannedAction]
}
