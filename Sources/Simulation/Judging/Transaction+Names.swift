import DesiredState

/// What the judge and the trace read of a transaction.
extension Transaction.Operation {
    var uid: UID? {
        switch self {
        case .require(let uid, _), .setStatus(let uid, _), .markDeleted(let uid, _), .removeFinalizer(let uid, _),
            .settleIntent(let uid), .setOperation(let uid, _), .forget(let uid, _, _), .addToInventory(_, let uid):
            uid
        case .create(let record), .replace(let record, _): record.uid
        case .openIntent(let intent): intent.uid
        case .openAttempt(let attempt): attempt.uid
        case .createExec(let exec): exec.uid
        case .acknowledgeAttempt, .finishAttempt, .startExec, .finishExec, .putImage, .removeImage, .addEvent,
            .keepSighting, .dropSighting, .putVolume, .endVolume, .removeVolume, .requireVolume, .setFreeze,
            .acceptWriter, .raiseRevision:
            nil
        }
    }

    var token: String? {
        switch self {
        case .acknowledgeAttempt(let token, _), .finishAttempt(let token, _): token
        default: nil
        }
    }

    /// Without what differs between two runs of one seed.
    var name: String {
        switch self {
        case .setStatus(let uid, let status): "status \(uid.short) \(status.nextAction?.rule ?? "")"
        case .finishAttempt(_, let result): "finish \(result.outcome.rawValue)"
        case .openIntent(let intent): "intent \(intent.kind.rawValue)"
        case .openAttempt(let attempt): "attempt \(attempt.run).\(attempt.number)"
        default: String("\(self)".prefix { $0 != "(" })
        }
    }
}

/// What of a status has changed, for the trace.
enum StatusChange {
    static func names(from old: FunctionAppStatus?, to new: FunctionAppStatus?) -> [String] {
        guard let old, let new, old != new else { return [] }
        var names = ConditionType.allCases.compactMap { type in
            old[type] == new[type] ? nil : "\(type.rawValue)=\(new[type]?.status.rawValue ?? "")"
        }
        if old.observedGeneration != new.observedGeneration { names.append("observedGeneration") }
        if old.site != new.site { names.append("site") }
        if old.runs != new.runs { names.append("runs") }
        if old.nextAction != new.nextAction { names.append("nextAction") }
        return names
    }
}
