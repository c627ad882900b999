/// Why a call to Azure did not do what was asked, with what an operator needs to quote to Azure's support.
///
/// Every text that came over the wire is bounded, its control characters are escaped and the secrets of the call are
/// blanked, so that `description` can be shown to a user and logged as it is.
package struct AzureError: Error, Sendable, Equatable {
    /// What kind of failure it is. The raw value is the machine reason of a record's condition.
    package enum Code: String, Sendable, CaseIterable {
        /// Azure says that the named resource itself does not exist. Never read out of a bare 404 status.
        case notFound = "NotFound"
        /// Something around the resource does not exist or is not visible to us: the subscription, the resource group,
        /// the plan a site shall run on.
        case scopeNotFound = "ScopeNotFound"
        /// Another operation on the same site, plan or webspace is running; the call was refused and changed nothing.
        case conflictBusy = "OperationInProgress"
        /// The global name belongs to somebody else; waiting does not help.
        case nameTaken = "NameTaken"
        /// The name was ours and its deletion has not ended yet.
        case pendingDelete = "PendingDelete"
        /// Another conflict with the present state, for instance a failed precondition.
        case conflict = "Conflict"
        /// A request quota is used up; calling before `retryAfter` prolongs the wait.
        case throttled = "Throttled"
        /// The credential is missing, wrong or expired, or no token could be had for it.
        case unauthorized = "Unauthorized"
        /// The identity is known but lacks a role.
        case forbidden = "Forbidden"
        /// The request itself is wrong; the same request never succeeds.
        case invalid = "Invalid"
        /// The subscription is not registered for the resource provider.
        case missingRegistration = "MissingRegistration"
        /// An Azure policy refuses the request.
        case policyDenied = "PolicyDenied"
        /// A lock on the scope refuses writes or deletions.
        case locked = "Locked"
        /// A limit on the number of resources is reached.
        case quotaExceeded = "QuotaExceeded"
        /// Azure failed (5xx).
        case serverFault = "ServerFault"
        /// No answer in time, from Azure or from a gateway on the way.
        case timedOut = "TimedOut"
        /// The connection could not be made or broke.
        case connection = "Connection"
        /// An answer that is not Azure's, is too large or cannot be decoded.
        case malformedReply = "MalformedReply"
        /// The caller's task was cancelled.
        case cancelled = "Cancelled"
        /// A refusal of a kind not known here; the service code says which.
        case other = "Other"
    }

    package var code: Code
    /// The call that failed.
    package var operation: AzureOperation
    /// What the call was about: a resource id, an image or a token scope.
    package var resource: String
    /// The HTTP status, nil where no reply arrived.
    package var status: Int?
    /// The service's own outer code, such as `Conflict` or `ResourceNotFound`.
    package var serviceCode: String?
    /// The service's most telling nested code, such as `59203` or `AADSTS7000215`.
    package var innerCode: String?
    /// At most 1,024 characters.
    package var message: String
    /// What the service's innermost error says, where it says something else: the place in a query, for instance. At most
    /// 1,024 characters.
    package var detail: String?
    /// Groups the calls of one reconcile, `x-ms-correlation-request-id`.
    package var correlationID: String?
    /// The service's id of this call, `x-ms-request-id`; the client's own where no reply arrived.
    package var requestID: String?
    /// How long Azure asked us to wait, in any of the header's forms.
    package var retryAfter: Duration?
    /// Whether the request may have been applied although no success was seen. Settled by reading, never by guessing.
    package var effectIsUnknown: Bool
    /// Whether we ourselves held the request back: nothing was sent, and nothing says that Azure would have refused it.
    package internal(set) var isUnsent = false
    /// What the service demands of the next token, where it refused one for that (401).
    var claims: ClaimsChallenge?

    package init(
        code: Code, operation: AzureOperation, resource: String, status: Int? = nil, serviceCode: String? = nil,
        innerCode: String? = nil, message: String, correlationID: String? = nil, requestID: String? = nil,
        retryAfter: Duration? = nil, effectIsUnknown: Bool = false
    ) {
        self.code = code
        self.operation = operation
        self.resource = SafeText.escaped(resource, limit: 512)
        self.status = status
        self.serviceCode = serviceCode.map { SafeText.escaped($0, limit: 128) }
        self.innerCode = innerCode.map { SafeText.escaped($0, limit: 128) }
        self.message = SafeText.escaped(message, limit: 1024)
        self.correlationID = correlationID.map { SafeText.escaped($0, limit: 128) }
        self.requestID = requestID.map { SafeText.escaped($0, limit: 128) }
        self.retryAfter = retryAfter
        self.effectIsUnknown = effectIsUnknown
    }
}

extension AzureError: CustomStringConvertible {
    package var description: String {
        var text = "\(operation.rawValue) \(resource): \(code.rawValue)"
        let facts = [status.map { "HTTP \($0)" }, serviceCode, innerCode].compactMap(\.self)
        if !facts.isEmpty { text += " (\(facts.joined(separator: ", ")))" }
        text += ": \(message)"
        if let detail { text += ": \(detail)" }
        if effectIsUnknown { text += " (the request may have been applied)" }
        let ids = [correlationID.map { "correlation \($0)" }, requestID.map { "request \($0)" }].compactMap(\.self)
        if !ids.isEmpty { text += " [\(ids.joined(separator: ", "))]" }
        return text
    }
}

/// Every call this client makes; the raw value names it in logs, metrics and errors.
package enum AzureOperation: String, Sendable, CaseIterable {
    case configure = "configure"
    case fetchToken = "token.fetch"
    case discoverCloud = "cloud.discover"
    case readClock = "clock.read"
    case putSite = "sites.put"
    case getSite = "sites.get"
    case listSites = "sites.list"
    case deleteSite = "sites.delete"
    case patchSite = "sites.patch"
    case startSite = "sites.start"
    case stopSite = "sites.stop"
    case restartSite = "sites.restart"
    case listAppSettings = "sites.appSettings.list"
    case setAppSettings = "sites.appSettings.set"
    case listMounts = "sites.mounts.list"
    case setMounts = "sites.mounts.set"
    case getConfig = "sites.config.get"
    case checkName = "sites.checkName"
    case containerLogs = "sites.containerLogs"
    case getPlan = "plans.get"
    case queryLogs = "logs.query"
    case getWorkspace = "workspaces.get"
    case listPlans = "plans.list"
    case listPlanSites = "plans.sites"
    case resolveImage = "registry.resolve"
    case getResourceGroup = "groups.get"
    case putResourceGroup = "groups.put"
    case listResourceGroups = "groups.list"
    case getSubscription = "subscriptions.get"
    case getProvider = "providers.get"
    case registerProvider = "providers.register"
    case listResources = "resources.list"
    case getTags = "tags.get"
    case changeTags = "tags.change"
    case queryGraph = "graph.query"
    case listActivity = "activity.list"
    case getStorageAccount = "storage.get"
    case putStorageAccount = "storage.put"
    case listStorageAccounts = "storage.list"
    case deleteStorageAccount = "storage.delete"
    case listStorageKeys = "storage.keys"
    case checkStorageName = "storage.checkName"
    case getFileShare = "shares.get"
    case putFileShare = "shares.put"
    case listFileShares = "shares.list"
    case deleteFileShare = "shares.delete"
    case getIdentity = "identities.get"
    case putIdentity = "identities.put"
    case listIdentities = "identities.list"
    case deleteIdentity = "identities.delete"
    case putFederatedCredential = "identities.credentials.put"
}
