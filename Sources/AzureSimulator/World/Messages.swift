/// Names one request to the simulated Azure until it is answered.
struct RequestID: Hashable, Sendable {
    var number: UInt64
}

/// A container's id: 64 hex digits, drawn for each start.
struct InstanceID: Hashable, Sendable {
    var text: String

    /// The first 12 digits, which the container sees as its host name.
    var short: String { String(text.prefix(12)) }
}

/// The key of a site: its name in lower case. Site names are one namespace over all subscriptions.
struct SiteKey: Hashable, Comparable, Sendable {
    var text: String

    init(_ name: String) { text = name.lowercased() }

    static func < (left: SiteKey, right: SiteKey) -> Bool { left.text < right.text }
}

/// A request to the control plane, as far as the World looks at one.
struct ControlRequest: Sendable {
    var method: String
    /// Path as it was sent, percent-encoded, without the query.
    var path: String
    var query: String = ""
    /// The host that the client asked for, in lower case and without the port.
    var host: String = "127.0.0.1"
    /// Scheme and authority that the client used; links in replies begin with it.
    var baseURL: String = "https://management.azure.com"
    var authorization: String? = nil
    var clientRequestID: String? = nil
    var wantsClientRequestID = false
    var correlationRequestID: String? = nil
    /// Every header as it was sent.
    var headers: [Reply.Header] = []
    var body: [UInt8] = []

    /// Which part of Azure is asked.
    var plane: Plane { Plane(host: host, path: path) }

    /// The first header of this name, without regard to case.
    func header(_ name: String) -> String? { headers.first { $0.name.lowercased() == name.lowercased() }?.value }
}

/// The answer to a control-plane request, or a page of the front end.
struct Reply: Equatable, Sendable {
    struct Header: Equatable, Sendable {
        var name: String
        var value: String
    }

    var status: Int
    var headers: [Header] = []
    var body: [UInt8] = []
    /// Names of the faults that made it what it is, for the journal of requests.
    var faults: [String] = []

    /// A reply with a JSON body.
    static func json(_ status: Int, _ value: JSON) -> Reply {
        Reply(
            status: status, headers: [Header(name: "Content-Type", value: "application/json; charset=utf-8")],
            body: value.encoded)
    }

    /// A reply with a body of text in the given media type.
    static func text(_ status: Int, _ text: String, type: String = "text/plain; charset=utf-8") -> Reply {
        Reply(status: status, headers: [Header(name: "Content-Type", value: type)], body: Array(text.utf8))
    }

    mutating func add(_ name: String, _ value: String) { headers.append(Header(name: name, value: value)) }
}

/// What a container is started with.
struct ContainerLaunch: Equatable, Sendable {
    var instance: InstanceID
    var site: String
    /// The key of the base root in `WorldSettings.images`.
    var image: String
    var environment: [AppSetting]
    /// The path of the platform's ping.
    var warmUpPath: String
    /// The host name that the ping carries.
    var hostName: String
    /// What is bound into the container, in the order of paths: a folder comes before what is below it.
    var mounts: [ContainerMount] = []
}

/// Names the folder with a share's files.
struct ShareFolder: Hashable, Sendable {
    var account: String
    var share: String
}

struct ContainerMount: Hashable, Sendable {
    var folder: ShareFolder
    var path: String
}

/// One application setting. Values are secrets: they never print.
struct AppSetting: Equatable, Sendable, Codable, CustomStringConvertible {
    var name: String
    var value: String

    var description: String { "\(name)=<redacted>" }
}

/// A command that was really about to be executed, as the agent said in the container's log.
struct ExecutionRecord: Equatable, Sendable {
    var site: String
    var token: String
    var boot: String
}

/// What happens to the World.
enum Event: Sendable {
    /// A request of the control plane: Resource Manager, login or registry.
    case request(RequestID, ControlRequest)
    /// A request for the live stream of a site's log, at its Kudu.
    case follow(RequestID, ControlRequest)
    /// Time went by for a request that follows a log.
    case beat(RequestID)
    /// A request for a site's host name.
    case visit(RequestID, host: String)
    /// The client of an unanswered request, or of a stream, went away.
    case abandoned(RequestID)
    /// The container answered the platform's warm-up ping.
    case containerReady(InstanceID)
    /// The container's first process ended, or could not be started at all.
    case containerExited(InstanceID)
    /// Bytes of the container's stdout and stderr.
    case containerWrote(InstanceID, [UInt8])
    /// The time of an earlier `Effect.wake` has come.
    case woke(SiteKey)
    /// The simulator is about to end: containers stop, nothing starts any more.
    case shutdown
}

extension Event {
    /// Whether something may be different afterwards that outlives the process.
    var changesDurableState: Bool {
        switch self {
        // Queries and telemetry change nothing that is kept.
        case .request(_, let request):
            request.method != "GET" && request.method != "HEAD" && request.plane != .logs
                && request.plane != .ingestion
        case .follow, .beat, .visit, .abandoned, .containerReady, .containerExited, .containerWrote, .woke, .shutdown:
            false
        }
    }
}

/// What the World wants done. Effects of one step are in order.
enum Effect: Equatable, Sendable {
    case reply(RequestID, Reply)
    /// As `reply`, but not before this time: a request that Azure blocks, such as a PUT of a site. What it changes has
    /// changed already. The end of the simulator sends it at once.
    case replyLater(RequestID, Reply, at: Instant)
    /// The connection ends without an answer. The names of the faults are for the journal of requests.
    case reset(RequestID, faults: [String])
    /// The request is answered with a stream, whose parts are `output`, until `streamEnd` or until its client goes away.
    case stream(RequestID)
    case output(RequestID, [UInt8])
    case streamEnd(RequestID)
    /// The request goes to this container.
    case forward(RequestID, InstanceID)
    case start(ContainerLaunch)
    /// The files of a share go with it. Containers that have it mounted see what they saw until they end.
    case removeShare(ShareFolder)
    /// SIGTERM now and SIGKILL after the grace; with no grace SIGKILL at once.
    case stop(InstanceID, grace: Duration)
    /// `Event.woke` is wanted at this time. A wake that has become pointless does no harm.
    case wake(SiteKey, at: Instant)
    case journal(ExecutionRecord)
}
