extension CallKind {
    var isToAzure: Bool {
        switch self {
        case .putSite, .followOperation, .readSite, .readDetails, .deleteSite, .releaseSite, .readContainerLog: true
        // Log Analytics has a budget of its own, and a log is read once per lost run.
        case .greetAgent, .postRun, .followRun, .stopRun, .readRunLog: false
        }
    }
}
