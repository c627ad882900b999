@testable import AzureSimulator

/// A World with a client that knows its secret, and a clock that only the script moves.
struct WorldScript: CustomStringConvertible {
    static let start = Instant(nanoseconds: 1_790_000_000_000_000_000)

    var world: World
    var now = WorldScript.start
    private var lastRequest: UInt64 = 0
    private(set) var token = ""

    init(
        seed: UInt64 = 1, pageSize: Int = 100, groups: [String] = ["skls", "other"],
        _ change: (inout WorldSettings) -> Void = { _ in }
    ) {
        world = Self.world(
            WorldSettings(
                tenantID: "tenant", clientID: "client", clientSecret: SimulatorSecret("secret"), subscriptionID: "sub",
                resourceGroups: groups, location: "eastus", planName: "plan",
                images: [
                    "docker.io/library/alpine": "busybox", "docker.io/library/busybox": "busybox",
                    "example.com/team/tool": "tool",
                ], pageSize: pageSize, tokenKey: Self.tokenKey, seed: seed),
            change: change)
        token = json(login()).string("access_token")
    }

    /// One key for all scripts: making one takes a while. Without one no script can say anything, so the run ends with the
    /// reason.
    static let tokenKey: TokenKey = {
        do { return try TokenKey.generate() } catch { fatalError("\(error)") }
    }()

    private static func world(_ settings: WorldSettings, change: (inout WorldSettings) -> Void) -> World {
        var settings = settings
        change(&settings)
        return World(settings: settings)
    }

    var description: String { "a script at \(now.iso8601)" }

    // MARK: Requests

    mutating func send(_ method: String, _ path: String, query: String = "", body: String = "") -> Reply {
        send(ControlRequest(method: method, path: path, query: query, body: Array(body.utf8)))
    }

    mutating func send(_ request: ControlRequest) -> Reply {
        let (id, effects) = step { .request($0, request) }
        for case .reply(id, let reply) in effects {
            last = effects
            return reply
        }
        return Reply(status: 0)
    }

    /// A request to Resource Manager with a token and an API version.
    mutating func arm(_ method: String, _ path: String, query: String = "", body: String = "") -> Reply {
        send(
            ControlRequest(
                method: method, path: path, query: "api-version=2023-12-01" + (query.isEmpty ? "" : "&\(query)"),
                authorization: "Bearer \(token)", body: Array(body.utf8)))
    }

    mutating func login(
        tenant: String = "tenant", client: String = "client", secret: String = "secret",
        scope: String = "https://management.azure.com/.default", grant: String = "client_credentials"
    ) -> Reply {
        let form =
            "grant_type=\(grant)&client_id=\(client)&client_secret=\(secret)&scope=\(URLText.encode(scope))"
        return send("POST", "/\(tenant)/oauth2/v2.0/token", body: form)
    }

    static func site(_ name: String, group: String = "skls", suffix: String = "") -> String {
        "/subscriptions/sub/resourceGroups/\(group)/providers/Microsoft.Web/sites/\(name)\(suffix)"
    }

    static func body(
        image: String = "alpine", settings: [String: String] = ["A": "1"], tags: [String: String] = ["t": "1"],
        plan: String = "plan", location: String = "eastus"
    ) -> String {
        func object(_ pairs: [String: String]) -> JSON {
            .object(pairs.sorted { $0.key < $1.key }.map { .init(name: $0.key, value: .string($0.value)) })
        }
        let appSettings = settings.sorted { $0.key < $1.key }.map { pair -> JSON in
            ["name": .string(pair.key), "value": .string(pair.value)]
        }
        let body: JSON = [
            "location": .string(location), "kind": "functionapp,linux,container", "tags": object(tags),
            "properties": [
                "serverFarmId": .string(plan), "reserved": true, "httpsOnly": true,
                "siteConfig": ["linuxFxVersion": .string("DOCKER|\(image)"), "appSettings": .array(appSettings)],
            ],
        ]
        return String(decoding: body.encoded, as: UTF8.self)
    }

    mutating func put(_ name: String, group: String = "skls", body: String = WorldScript.body()) -> Reply {
        arm("PUT", Self.site(name, group: group), body: body)
    }

    // MARK: Steps

    /// Effects of the last step.
    private(set) var last: [Effect] = []

    mutating func step(_ event: (RequestID) -> Event) -> (RequestID, [Effect]) {
        lastRequest += 1
        let id = RequestID(number: lastRequest)
        last = world.handle(event(id), at: now)
        return (id, last)
    }

    mutating func tell(_ event: Event) -> [Effect] {
        last = world.handle(event, at: now)
        return last
    }

    /// A request for a site; what it is told at once, if anything.
    mutating func visit(_ host: String) -> (RequestID, Effect?) {
        let (id, effects) = step { .visit($0, host: host) }
        return (id, effects.first)
    }

    mutating func advance(_ duration: Duration) { now = now + duration }

    /// The container that the last step started.
    var started: ContainerLaunch? {
        for case .start(let launch) in last { return launch }
        return nil
    }

    mutating func log(_ name: String) -> String {
        String(decoding: arm("POST", Self.site(name, suffix: "/containerlogs")).body, as: UTF8.self)
    }
}

/// The body of a reply; null if it is not JSON.
func json(_ reply: Reply) -> JSON {
    do throws(JSON.SyntaxError) { return try JSON(parsing: reply.body) } catch { return .null }
}

extension JSON {
    func string(_ name: String) -> String { self[name]?.string ?? "" }
}

extension Reply {
    func header(_ name: String) -> String? { headers.first { $0.name.lowercased() == name.lowercased() }?.value }

    /// The error's code in either of Azure's shapes.
    var errorCode: String {
        let body = AzureSimulatorTests.json(self)
        return body["error"]?["code"]?.string ?? body["Code"]?.string ?? ""
    }
}
