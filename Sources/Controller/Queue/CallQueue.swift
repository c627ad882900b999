extension CallKind {
    var isToAzure: Bool {
        switch self {
        case .putSite, .followOperation, .readSite, .readDetails, .deleteSite, .readContainerLog: true
        case .greetAgent, .postRun, .followRun, .stopRun: false
        }
    }
}
