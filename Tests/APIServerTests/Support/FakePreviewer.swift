import APIServer
import DesiredState
import NIOConcurrencyHelpers

/// Says what a controller could say: a site is made, written where its image changes, and runs are begun. More can be put in.
final class FakePreviewer: Previewer {
    private let more = NIOLockedValueBox<[PlannedAction]>([])

    func preview(_ record: FunctionApp, replacing stored: StoredRecord?) -> [PlannedAction] {
        var actions: [PlannedAction] = []
        if let earlier = stored?.record {
            if earlier.spec.image != record.spec.image {
                actions.append(
                    PlannedAction(rule: "drift", text: "write the site", fields: ["siteConfig.linuxFxVersion"]))
            }
        } else {
            actions.append(PlannedAction(rule: "absent", text: "create the site"))
        }
        if record.spec.invocations > record.lastRunNumber {
            actions.append(PlannedAction(rule: "notInvoked", text: "begin run \(record.lastRunNumber + 1)"))
        }
        return actions + more.withLockedValue { $0 }
    }

    func add(_ action: PlannedAction) {
        more.withLockedValue { $0.append(action) }
    }
}
