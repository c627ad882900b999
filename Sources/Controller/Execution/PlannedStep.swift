package import DesiredState

extension Preview.Step {
    /// As users read it. Without names and times that differ from one look to the next: what is told is part of a plan's
    /// digest.
    /// - Parameter fields: of the site that a write changes.
    package func planned(changing fields: [String]) -> PlannedAction {
        let text: String
        var written: [String] = []
        switch action {
        case .putSite:
            text = rule == .absent ? "create the site" : "write the site"
            if rule != .absent { written = fields }
        case .deleteSite: text = "delete the site"
        case .releaseSite: text = "let the site go: it stays, without our tags"
        case .openAttempt(let run, let number, _):
            text = number == 1 ? "begin run \(run)" : "begin run \(run) again, attempt \(number)"
        case .stopRun(_, let stop): text = "send \(stop.signal) to run \(stop.run)"
        case .failRun(let number, _): text = "count run \(number) as failed"
        case .markDeleted: text = "delete the record: its time to live is over"
        case .forget: text = "forget the record"
        default: text = String(describing: action).prefix { $0 != "(" }.description
        }
        return PlannedAction(rule: rule.rawValue, text: text, fields: written)
    }
}
