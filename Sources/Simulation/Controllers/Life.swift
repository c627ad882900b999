import Controller
import DesiredState

/// One life of a controller. Once it is over, nothing that is left of it reaches the store, Azure or an agent.
///
/// Unchecked: see `Once`.
final class Life: @unchecked Sendable {
    let number: Int
    /// What it learns of users' commits through.
    let hub = ChangeHub()
    private(set) var isAlive = true
    var service: ControllerService?
    /// What users reach the life through about leaks and recoveries.
    var desk: RepairDesk?
    var task: Task<Void, Never>?
    /// That a crash follows an agent's answer; see `Chaos`.
    var crashesAfterAgentCall: () -> Bool = { false }

    init(number: Int) { self.number = number }

    /// The end: at once, whatever is under way.
    func end() {
        isAlive = false
        task?.cancel()
    }
}
