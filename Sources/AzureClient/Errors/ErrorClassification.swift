/// Tells from status and codes what kind of failure a reply is. Pure; the one place that knows Azure's codes.
enum ErrorClassification {
    /// Codes that tell the kind by themselves, in lower case. From azure-resource-manager-rpc v1.0, the error lists of
    /// the Azure docs and go-azure-sdk (read 2026-02); the numbers are App Service's extended codes, seen in issues of
    /// terraform-provider-azurerm, not documented.
    private static let known: [String: AzureError.Code] = [
        "resourcenotfound": .notFound, "notfound": .notFound, "manifest_unknown": .notFound, "name_unknown": .notFound,
        "resourcegroupnotfound": .scopeNotFound, "subscriptionnotfound": .scopeNotFound,
        "invalidsubscriptionid": .scopeNotFound, "parentresourcenotfound": .scopeNotFound,
        // A principal that was just made is not known everywhere for minutes.
        "principalnotfound": .scopeNotFound,
        "59202": .conflictBusy, "59203": .conflictBusy, "59205": .conflictBusy,
        "anotheroperationinprogress": .conflictBusy, "retryableerrorduetoanotheroperation": .conflictBusy,
        "deploymentactive": .conflictBusy, "concurrentupdateerror": .conflictBusy,
        "storageaccountoperationinprogress": .conflictBusy, "containerappsjoboperationinprogress": .conflictBusy,
        "roleassignmentexists": .conflict,
        "sharebeingdeleted": .pendingDelete, "resourcegroupbeingdeleted": .pendingDelete,
        "scopebeingdeleted": .pendingDelete,
        "54001": .nameTaken, "storageaccountalreadytaken": .nameTaken,
        "missingsubscriptionregistration": .missingRegistration, "subscriptionnotregistered": .missingRegistration,
        "missingregistrationfortype": .missingRegistration, "missingregistrationforlocation": .missingRegistration,
        "requestdisallowedbypolicy": .policyDenied, "scopelocked": .locked,
        "quotaexceeded": .quotaExceeded, "resourcequotaexceeded": .quotaExceeded,
        "toomanyrequests": .throttled, "subscriptionrequeststhrottled": .throttled,
        "resourcerequeststhrottled": .throttled,
        "internalservererror": .serverFault, "serviceunavailable": .serverFault, "gatewaytimeout": .timedOut,
        "insufficientaccesserror": .forbidden, "invalidauthenticationtoken": .unauthorized,
        "invalidauthenticationtokenaudience": .unauthorized, "expiredauthenticationtoken": .unauthorized,
        "authorizationfailed": .forbidden, "linkedauthorizationfailed": .forbidden,
        "noregisteredproviderfound": .invalid, "invalidresourcetype": .invalid,
        "missingapiversionparameter": .invalid, "locationnotavailableforresourcetype": .invalid,
        "invalidtemplate": .invalid, "invalidtemplatedeployment": .invalid,
        "readonlydisabledsubscription": .forbidden,
        "invalid_client": .unauthorized, "unauthorized_client": .unauthorized, "invalid_grant": .unauthorized,
        "aadsts90002": .unauthorized,
        "temporarily_unavailable": .serverFault, "server_error": .serverFault,
    ]

    /// The codes that Azure Resource Manager and App Service put on several kinds of conflict and that therefore tell
    /// nothing. For these alone the message has to be read; the texts were seen in issues of terraform-provider-azurerm
    /// and azure-functions-on-container-apps (read 2026-02).
    private static let conflictTexts: [(text: String, code: AzureError.Code)] = [
        ("another operation is in progress", .conflictBusy),
        ("may be due to a pending delete operation", .pendingDelete),
        ("website with given name", .nameTaken),
    ]

    static func code(status: Int, body: ErrorBody) -> AzureError.Code {
        let fromCodes = body.codes.lazy.compactMap { known[$0.lowercased()] }.first
        switch status {
        case 401: return .unauthorized
        case 408, 504: return .timedOut
        case 501: return .other
        case 500...: return .serverFault
        case 404:
            // Only Azure's own words count: a 404 of a gateway or a wrong address says nothing about the resource.
            return body.codes.isEmpty ? .malformedReply : fromCodes ?? .other
        case 429:
            // App Service delivers some of its conflicts with the status of a quota.
            return conflict(body, fromCodes) == .conflictBusy ? .conflictBusy : .throttled
        case 409: return conflict(body, fromCodes) ?? .conflict
        case 412: return fromCodes ?? .conflict
        case 403: return body.codes.isEmpty ? .forbidden : notMissing(fromCodes) ?? .forbidden
        case 400..<500: return notMissing(fromCodes) ?? .invalid
        default: return .malformedReply
        }
    }

    /// What kind of failure an operation ended with that Azure had taken. It carries codes but no status of its own.
    static func code(ofFailedOperation body: ErrorBody) -> AzureError.Code {
        if body.codes.isEmpty { return .serverFault }
        // What it could not find is something that it refers to.
        let code = body.codes.lazy.compactMap { known[$0.lowercased()] }.first.map {
            $0 == .notFound ? .scopeNotFound : $0
        }
        return code ?? conflict(body, nil) ?? .other
    }

    private static func conflict(_ body: ErrorBody, _ fromCodes: AzureError.Code?) -> AzureError.Code? {
        if let fromCodes = notMissing(fromCodes) { return fromCodes }
        let message = body.message.lowercased()
        return conflictTexts.first { message.contains($0.text) }?.code
    }

    /// "The resource is not there" counts only with the status that means it.
    private static func notMissing(_ code: AzureError.Code?) -> AzureError.Code? {
        code == .notFound ? nil : code
    }
}
