package import DesiredState

/// What the controller knows of sites without records, and what users can have done about them.
package protocol LeakControl: Sendable {
    /// As the newest sweep saw them.
    func leaks() async throws(LeakControlError) -> LeakReport
    /// Makes a suspended record for a site that no record knows.
    func adopt(site: String) async throws(LeakControlError) -> FunctionApp
    /// Deletes a site that no record knows; returns when Azure has taken the deletion.
    func delete(site: String) async throws(LeakControlError)
    /// What ``recover(_:digest:)`` would do now. Reads only.
    func recoveryPlan(_ request: RecoveryRequest) async throws(LeakControlError) -> RecoveryPlan
    /// Does what the plan with this digest says and returns it; throws `moved` if the plan is another by now.
    func recover(_ request: RecoveryRequest, digest: String) async throws(LeakControlError) -> RecoveryPlan
}

package struct RecoveryRequest: Hashable, Sendable {
    /// Of a store that was lost, whose sites are taken over; `nil` = this one's own.
    package var instance: String?
    /// The store is an older one even if no site shows it.
    package var isForced: Bool

    package init(instance: String? = nil, isForced: Bool = false) {
        self.instance = instance
        self.isForced = isForced
    }
}

package struct LeakControlError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Code: Hashable, Sendable {
        case notFound
        /// Something changed in between: look again.
        case moved
        /// Not done, now or later.
        case refused
        /// Azure or the store cannot be used now.
        case unavailable
    }

    package let code: Code
    package let description: String

    package init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }
}
