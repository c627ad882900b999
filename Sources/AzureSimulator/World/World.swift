/// The simulated Azure as a pure state machine: requests, container events and the time go in, replies and effects come
/// out. It does no I/O, reads no clock and draws every identifier from one seed, so that a script of events gives the
/// same effects on every run.
struct World: Sendable {
    let settings: WorldSettings
    var random: SeededGenerator
    var sites: [SiteKey: Site] = [:]
    /// Keys of `sites` in order, so that a page of a list costs no sorting.
    var siteOrder: [SiteKey] = []
    /// Sites by host name.
    var hosts: [String: SiteKey] = [:]
    /// Plans by group and name in lower case.
    var plans: [String: Plan] = [:]
    var subscription: SubscriptionState
    var storage = StorageState()
    /// By group and name in lower case, see `identityKey`.
    var identities: [String: UserAssignedIdentity] = [:]
    var graphMirror = GraphMirror()
    var graphQuota = GraphQuota()
    /// Sites that are not as they are for good; see `Site.Visibility`.
    var unsettledSites: Set<SiteKey> = []
    /// Writes that are under way or lately ended, in the order of their beginning.
    var webOperations: [WebOperation] = []
    var deletedSites: [DeletedSite] = []
    var environments: [ManagedEnvironment]
    /// Every container that was started and has not exited yet, also of deleted sites.
    var instances: [InstanceID: Instance] = [:]
    var buckets: [BucketKey: TokenBucket] = [:]
    /// The machine of the plan that the containers say they run on.
    var workerID: String
    var verificationID: String
    var servicePrincipalID: String
    /// The system-assigned identity of the machine that the clients run on.
    var machinePrincipal: Principal
    var tokens = TokenCache()
    var isShuttingDown = false
    var faults: FaultState
    var logs: LogsState
    var activity = ActivityLog()
    /// When the reply to the request under way goes out; nil is at once. See `delayReply`.
    private var replyTime: Instant?
    /// Effects of the step under way.
    var effects: [Effect] = []

    /// A container that lives, and the last line of its log as far as it has come.
    struct Instance: Sendable {
        var site: SiteKey
        var siteName: String
        var line: [UInt8] = []
    }

    init(settings: WorldSettings) {
        self.settings = settings
        subscription = SubscriptionState(settings: settings)
        random = SeededGenerator(seed: settings.seed)
        logs = LogsState(settings: settings)
        faults = FaultState(plan: settings.faults, seed: settings.seed)
        workerID = random.hex(64)
        verificationID = random.hex(64).uppercased()
        servicePrincipalID = random.guid()
        machinePrincipal = Principal(clientID: random.guid(), objectID: random.guid())
        environments = Self.managedEnvironments(of: settings)
        let group = settings.resourceGroups.first ?? "skls"
        plans[Self.planKey(group: group, name: settings.planName)] = Plan(name: settings.planName, group: group)
        for plan in settings.web.plans {
            let group = plan.group ?? group
            plans[Self.planKey(group: group, name: plan.name)] = Plan(
                name: plan.name, group: group, sku: PlanSKU(sent: plan.sku) ?? PlanSKU(name: plan.sku))
        }
        addStorageAccounts()
        resetGraphMirror()
    }

    /// One step. Effects are in the order in which they have to happen.
    mutating func handle(_ event: Event, at now: Instant) -> [Effect] {
        effects.removeAll(keepingCapacity: true)
        switch event {
        case .request(let id, let request): self.request(id, request, at: now)
        case .follow(let id, let request): follow(id, request, at: now)
        case .beat(let id): beat(id, at: now)
        case .visit(let id, let host): visit(id, host: host)
        case .abandoned(let id): abandon(id)
        case .containerReady(let instance): containerReady(instance, at: now)
        case .containerExited(let instance): containerExited(instance, at: now)
        case .containerWrote(let instance, let bytes): containerWrote(instance, bytes, at: now)
        case .woke(let site): wake(site, at: now)
        case .shutdown: shutDown()
        }
        return effects
    }

    private mutating func request(_ id: RequestID, _ request: ControlRequest, at now: Instant) {
        replyTime = nil
        faults.beginStep()
        settleWeb(at: now)
        var reply = answer(request, at: now)
        reply.faults = faults.struck.map(\.rawValue)
        if faults.struck.contains(.resetBefore) || faults.struck.contains(.resetAfter) {
            effects.append(.reset(id, faults: reply.faults))
        } else if let replyTime, replyTime > now {
            effects.append(.replyLater(id, reply, at: replyTime))
        } else {
            effects.append(.reply(id, reply))
        }
    }

    /// Makes the reply to the request under way wait until `time`: the request blocks, as a PUT of a site does for some
    /// 25 s. What the request changes has changed at once. Called while a request is answered; the last call counts.
    ///
    ///     delayReply(until: now + settings.scaled(.seconds(25)))
    mutating func delayReply(until time: Instant) { replyTime = time }

    private mutating func answer(_ request: ControlRequest, at now: Instant) -> Reply {
        switch request.plane {
        case .registry: return answerRegistry(request)
        case .login: return answerLogin(request, at: now)
        case .metadata: return answerMetadata(request, at: now)
        case .resourceManager: return answerResourceManager(request, at: now)
        case .logs: return answerLogs(request, at: now)
        case .ingestion: return answerIngestion(request, at: now)
        case .site where Self.isKudu(request.host): return answerKudu(request, at: now)
        case .storage, .site:
            return AzureErrorBody.resourceManager(404, "NotFound", "The simulated Azure has nothing at this address.")
        }
    }
}
