private typealias WorldEvent = Event

/// The simulated Azure without a wire, for simulations that live in one process under a time of their own: the World
/// with values that others can see. Like the World it does no I/O and reads no clock; times are nanoseconds since 1970.
package struct InProcessAzure: Sendable {
    /// What a simulation may choose.
    package struct Settings: Sendable {
        package var seed: UInt64
        package var web = WebSettings()
        package var faults = FaultPlan()
        package var quota = QuotaPolicy()
        /// See `WorldSettings.latencyScale`.
        package var latencyScale = 0.0
        package var pageSize = 100
        /// Images that can be pulled.
        package var images: [String] = ["docker.io/library/alpine"]

        package init(seed: UInt64) { self.seed = seed }
    }

    package struct Request: Sendable {
        package var method: String
        /// Scheme and authority, such as `https://management.azure.com`.
        package var baseURL: String
        /// In lower case, without a port.
        package var host: String
        /// Percent-encoded, without the query.
        package var path: String
        package var query: String
        package var headers: [(name: String, value: String)]
        package var body: [UInt8]

        package init(
            method: String, baseURL: String, host: String, path: String, query: String = "",
            headers: [(name: String, value: String)] = [], body: [UInt8] = []
        ) {
            self.method = method
            self.baseURL = baseURL
            self.host = host
            self.path = path
            self.query = query
            self.headers = headers
            self.body = body
        }
    }

    package struct Answer: Sendable {
        package var status: Int
        package var headers: [(name: String, value: String)]
        package var body: [UInt8]
        /// Names of the faults that made it what it is.
        package var faults: [String]
    }

    package struct Container: Sendable, Hashable {
        package var instance: String
        package var site: String
        package var hostName: String
        /// Of the agent, as the site's settings say; nil if they say none.
        package var agentSecret: String?
    }

    package enum Effect: Sendable {
        case reply(UInt64, Answer)
        case replyLater(UInt64, Answer, atNanoseconds: Int64)
        /// The connection ends without an answer.
        case reset(UInt64, faults: [String])
        case forward(UInt64, instance: String)
        case start(Container)
        /// TERM, and KILL after the grace.
        case stop(instance: String, grace: Duration)
        case wake(site: String, atNanoseconds: Int64)
        /// A command was about to be executed.
        case executed(site: String, token: String, boot: String)
    }

    package enum Event: Sendable {
        case request(UInt64, Request)
        case visit(UInt64, host: String)
        case abandoned(UInt64)
        case containerReady(instance: String)
        case containerExited(instance: String)
        case containerWrote(instance: String, [UInt8])
        case woke(site: String)
    }

    /// A site as it is, whatever reads show of it.
    package struct SiteState: Sendable {
        package var name: String
        package var tags: [String: String]
        package var image: String
        package var state: String
        package var settings: [String: String]
        /// It is gone and only holds its name.
        package var isDeleted: Bool
        /// It cannot be seen yet.
        package var isHidden: Bool
        package var createdNanoseconds: Int64
        package var modifiedNanoseconds: Int64
    }

    private var world: World

    package static let tenantID = "tenant"
    package static let subscriptionID = "5ba5e000-7e4a-4000-8000-000000000003"
    package static let group = "skls"
    package static let location = "westeurope"
    package static let planName = "skls-plan"

    /// - Throws: `state` if no key for tokens could be made.
    package init(_ settings: Settings) throws(SimulatorError) {
        var all = WorldSettings(
            tenantID: Self.tenantID, clientID: "client", clientSecret: SimulatorSecret("secret"),
            subscriptionID: Self.subscriptionID, resourceGroups: [Self.group], location: Self.location,
            planName: Self.planName, images: Dictionary(uniqueKeysWithValues: settings.images.map { ($0, "root") }),
            tokenKey: try Self.tokenKey.get(), seed: settings.seed)
        all.web = settings.web
        all.faults = settings.faults
        all.quota = settings.quota
        all.latencyScale = settings.latencyScale
        all.pageSize = settings.pageSize
        world = World(settings: all)
    }

    /// One key for all: making one takes long, and nothing that it signs leaves the process.
    private static let tokenKey: Result<TokenKey, SimulatorError> = {
        do throws(SimulatorError) { return .success(try TokenKey.generate()) } catch { return .failure(error) }
    }()

    // MARK: steps

    package mutating func handle(_ event: Event, atNanoseconds now: Int64) -> [Effect] {
        world.handle(WorldEvent(event), at: Instant(nanoseconds: now)).compactMap(Effect.init)
    }

    /// A token for Resource Manager, good for an hour.
    package mutating func token(atNanoseconds now: Int64) -> String {
        let principal = Principal(clientID: "client", objectID: world.servicePrincipalID)
        return world.accessToken(
            for: principal, audience: "https://management.azure.com", at: Instant(nanoseconds: now))
    }

    /// From now on other faults strike; the count of occasions begins anew.
    package mutating func setFaults(_ plan: FaultPlan) {
        world.faults = FaultState(plan: plan, seed: world.settings.seed &+ 1)
    }

    // MARK: looks

    /// In order of names.
    package var sites: [SiteState] {
        world.siteOrder.compactMap { world.sites[$0] }.map(SiteState.init)
    }

    package func site(_ name: String) -> SiteState? {
        world.sites[SiteKey(name)].map(SiteState.init)
    }

    /// The container that serves the site, if one does.
    package func servingInstance(ofSite name: String) -> String? {
        world.sites[SiteKey(name)]?.container.serving?.instance.text
    }
}

extension InProcessAzure.SiteState {
    init(_ site: Site) {
        var tags: [String: String] = [:]
        for tag in site.tags { tags[tag.name] = tag.value.string ?? "" }
        self.init(
            name: site.name, tags: tags, image: site.linuxFxVersion, state: site.state,
            settings: Dictionary(site.appSettings.map { ($0.name, $0.value) }) { $1 }, isDeleted: site.isDeleted,
            isHidden: site.visibility.hiddenUntil != nil, createdNanoseconds: site.created.nanoseconds,
            modifiedNanoseconds: site.lastModified.nanoseconds)
    }
}

extension Event {
    init(_ event: InProcessAzure.Event) {
        switch event {
        case .request(let id, let request): self = .request(RequestID(number: id), ControlRequest(request))
        case .visit(let id, let host): self = .visit(RequestID(number: id), host: host)
        case .abandoned(let id): self = .abandoned(RequestID(number: id))
        case .containerReady(let instance): self = .containerReady(InstanceID(text: instance))
        case .containerExited(let instance): self = .containerExited(InstanceID(text: instance))
        case .containerWrote(let instance, let bytes): self = .containerWrote(InstanceID(text: instance), bytes)
        case .woke(let site): self = .woke(SiteKey(site))
        }
    }
}

extension ControlRequest {
    init(_ request: InProcessAzure.Request) {
        self.init(
            method: request.method, path: request.path, query: request.query, host: request.host,
            baseURL: request.baseURL,
            headers: request.headers.map { Reply.Header(name: $0.name, value: $0.value) }, body: request.body)
        authorization = header("authorization")
        clientRequestID = header("x-ms-client-request-id")
        correlationRequestID = header("x-ms-correlation-request-id")
    }
}

extension InProcessAzure.Answer {
    init(_ reply: Reply) {
        self.init(
            status: reply.status, headers: reply.headers.map { ($0.name, $0.value) }, body: reply.body,
            faults: reply.faults)
    }
}

extension InProcessAzure.Effect {
    /// Nil for what only a wire has: streams of logs.
    init?(_ effect: Effect) {
        switch effect {
        case .reply(let id, let reply): self = .reply(id.number, .init(reply))
        case .replyLater(let id, let reply, let time):
            self = .replyLater(id.number, .init(reply), atNanoseconds: time.nanoseconds)
        case .reset(let id, let faults): self = .reset(id.number, faults: faults)
        case .forward(let id, let instance): self = .forward(id.number, instance: instance.text)
        case .start(let launch):
            self = .start(
                .init(
                    instance: launch.instance.text, site: launch.site, hostName: launch.hostName,
                    agentSecret: launch.environment.first { $0.name == "SKLS_AGENT_SECRET" }?.value))
        case .stop(let instance, let grace): self = .stop(instance: instance.text, grace: grace)
        case .wake(let site, let time): self = .wake(site: site.text, atNanoseconds: time.nanoseconds)
        case .journal(let record): self = .executed(site: record.site, token: record.token, boot: record.boot)
        // Containers of a simulation in process have no files.
        case .stream, .output, .streamEnd, .removeShare: return nil
        }
    }
}
