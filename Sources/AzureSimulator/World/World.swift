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
    /// Every container that was started and has not exited yet, also of deleted sites.
    var instances: [InstanceID: Instance] = [:]
    var buckets: [BucketKey: TokenBucket] = [:]
    /// The machine of the plan that the containers say they run on.
    let workerID: String
    let verificationID: String
    let servicePrincipalID: String
    var isShuttingDown = false
    /// Effects of the step under way.
    var effects: [Effect] = []

    /// A container that lives, and the last line of its log as far as it has come.
    struct Instance: Sendable {
        var site: SiteKey
        var siteName: String
        var line: [UInt8] = []
    }

    struct BucketKey: Hashable, Sendable {
        var principal: String
        var operation: TokenBucket.Operation
    }

    init(settings: WorldSettings) {
        self.settings = settings
        random = SeededGenerator(seed: settings.seed)
        workerID = random.hex(64)
        verificationID = random.hex(64).uppercased()
        servicePrincipalID = random.guid()
        let group = settings.resourceGroups.first ?? "skls"
        plans[Self.planKey(group: group, name: settings.planName)] = Plan(name: settings.planName, group: group)
    }

    /// One step. Effects are in the order in which they have to happen.
    mutating func handle(_ event: Event, at now: Instant) -> [Effect] {
        effects.removeAll(keepingCapacity: true)
        switch event {
        case .request(let id, let request): effects.append(.reply(id, answer(request, at: now)))
        case .visit(let id, let host): visit(id, host: host)
        case .abandoned(let id): abandon(id)
        case .containerReady(let instance): containerReady(instance, at: now)
        case .containerExited(let instance): containerExited(instance, at: now)
        case .containerWrote(let instance, let bytes): containerWrote(instance, bytes)
        case .woke(let site): wake(site, at: now)
        case .shutdown: shutDown()
        }
        return effects
    }

    /// The planes of the control plane are told apart by path: on a machine of one's own they have one address.
    private mutating func answer(_ request: ControlRequest, at now: Instant) -> Reply {
        let segments = request.path.split(separator: "/").map(String.init)
        if segments.first == "v2" { return answerRegistry(request) }
        if segments.count == 4, Array(segments[1...]) == ["oauth2", "v2.0", "token"] {
            return answerToken(request, tenant: segments[0], at: now)
        }
        return answerResourceManager(request, at: now)
    }

    static func planKey(group: String, name: String) -> String { "\(group)/\(name)".lowercased() }
}
