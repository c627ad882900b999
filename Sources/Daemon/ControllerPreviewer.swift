import APIServer
import Controller
import DesiredState

/// Asks the controller what it would do, and the designer what of a site that changes.
struct ControllerPreviewer: Previewer {
    let controller: ControllerService
    let designer: SiteDesigner

    func preview(_ record: FunctionApp, replacing stored: StoredRecord?) -> [PlannedAction] {
        let fields = stored.map { designer.design(of: record).changedFields(from: designer.design(of: $0.record)) }
        return controller.preview(record, replacing: stored).steps.map { $0.planned(changing: fields ?? []) }
    }
}
