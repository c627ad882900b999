/// The table of the internal API: what each method and path below `/internal/v1` means. The OpenAPI document is checked against it.
struct InternalRoute: Hashable, Sendable {
    /// What answers. `docker` is an operation of Docker's dialect, at this path there.
    enum Operation: Hashable, Sendable {
        case capabilities, health, status, summary, metrics, check, provider
        case resources, orphans, cleanup
        case create, inspect, stop, kill, restart, logs, logStream, waitSocket
        case pull, inspectImage, tagImage
        case docker(method: String, path: String)
        case missing
    }

    let method: String
    /// Below the prefix. `{id}` stands for one segment, `{name+}` for one or more: image names hold slashes.
    let path: String
    let operation: Operation
    /// What a refusal calls it.
    let name: String
    /// Without it the request is refused before anything is looked at.
    let requires: BackendCapabilities.Feature?

    static let prefix = ["internal", "v1"]

    static func serves(_ segments: [String]) -> Bool { segments.first == "internal" }

    private init(
        _ method: String, _ path: String, _ operation: Operation, _ name: String,
        requires: BackendCapabilities.Feature? = nil
    ) {
        self.method = method
        self.path = path
        self.operation = operation
        self.name = name
        self.requires = requires
    }

    /// In order: the first match counts, so the literal paths stand before those that take any name.
    static let all: [InternalRoute] = system + containers + exec + images + networks + volumes

    private static let system: [InternalRoute] = [
        InternalRoute("GET", "/capabilities", .capabilities, "capabilities"),
        InternalRoute("GET", "/info", .docker(method: "GET", path: "/info"), "info"),
        InternalRoute("GET", "/version", .docker(method: "GET", path: "/version"), "version"),
        InternalRoute("GET", "/healthz", .health, "healthz"),
        InternalRoute("GET", "/status", .status, "status"),
        InternalRoute("GET", "/metrics", .metrics, "metrics"),
        InternalRoute("GET", "/check", .check, "check"),
        InternalRoute("GET", "/provider", .provider, "provider"),
        InternalRoute("POST", "/reload", .missing, "reload"),
        InternalRoute("GET", "/resources", .resources, "resources"),
        InternalRoute("GET", "/resources/orphaned", .orphans, "orphaned resources"),
        InternalRoute("POST", "/resources/cleanup", .cleanup, "cleanup"),
        InternalRoute("GET", "/agent/connect", .missing, "agent connect"),
        InternalRoute("GET", "/events", .docker(method: "GET", path: "/events"), "events"),
        InternalRoute("GET", "/system/df", .docker(method: "GET", path: "/system/df"), "system df"),
        InternalRoute("POST", "/auth", .docker(method: "POST", path: "/auth"), "auth"),
    ]

    private static let containers: [InternalRoute] = [
        InternalRoute("POST", "/containers", .create, "container create"),
        InternalRoute("GET", "/containers", .docker(method: "GET", path: "/containers/json"), "container list"),
        InternalRoute("GET", "/containers/summary", .summary, "container summary"),
        same("POST", "/containers/prune", "container prune"),
        InternalRoute("GET", "/containers/{id}", .inspect, "container inspect"),
        same("DELETE", "/containers/{id}", "container remove"),
        same("POST", "/containers/{id}/start", "container start"),
        InternalRoute("POST", "/containers/{id}/stop", .stop, "container stop"),
        InternalRoute("POST", "/containers/{id}/restart", .restart, "container restart"),
        InternalRoute("POST", "/containers/{id}/kill", .kill, "container kill"),
        InternalRoute("GET", "/containers/{id}/logs", .logs, "container logs"),
        InternalRoute("GET", "/containers/{id}/logs/stream", .logStream, "container log stream"),
        InternalRoute("GET", "/containers/{id}/wait", .waitSocket, "container wait"),
        same("POST", "/containers/{id}/wait", "container wait"),
        same("POST", "/containers/{id}/attach", "container attach", requires: .attach),
        same("POST", "/containers/{id}/exec", "exec create", requires: .exec),
        same("POST", "/containers/{id}/resize", "container resize"),
        same("PUT", "/containers/{id}/archive", "container archive"),
        same("HEAD", "/containers/{id}/archive", "container archive"),
        same("GET", "/containers/{id}/archive", "container archive"),
        same("GET", "/containers/{id}/top", "container top"),
        same("GET", "/containers/{id}/stats", "container stats"),
        same("POST", "/containers/{id}/rename", "container rename"),
        same("POST", "/containers/{id}/pause", "container pause"),
        same("POST", "/containers/{id}/unpause", "container unpause"),
        same("POST", "/containers/{id}/update", "container update"),
        same("GET", "/containers/{id}/changes", "container changes"),
        same("GET", "/containers/{id}/export", "container export"),
    ]

    private static let exec: [InternalRoute] = [
        InternalRoute(
            "GET", "/exec/{id}", .docker(method: "GET", path: "/exec/{id}/json"), "exec inspect", requires: .exec),
        InternalRoute(
            "GET", "/exec/{id}/json", .docker(method: "GET", path: "/exec/{id}/json"), "exec inspect", requires: .exec),
        same("POST", "/exec/{id}/start", "exec start", requires: .exec),
        same("POST", "/exec/{id}/resize", "exec resize", requires: .exec),
    ]

    private static let images: [InternalRoute] = [
        InternalRoute("POST", "/images/pull", .pull, "image pull"),
        InternalRoute("GET", "/images/inspect", .inspectImage, "image inspect"),
        same("POST", "/images/load", "image load"),
        InternalRoute("POST", "/images/tag", .tagImage, "image tag"),
        InternalRoute("POST", "/images/build", .docker(method: "POST", path: "/build"), "image build"),
        InternalRoute("POST", "/images/prune", .docker(method: "POST", path: "/images/prune"), "image prune"),
        InternalRoute("GET", "/images", .docker(method: "GET", path: "/images/json"), "image list"),
        same("GET", "/images/search", "image search"),
        same("GET", "/images/get", "image save"),
        InternalRoute("POST", "/commit", .docker(method: "POST", path: "/commit"), "commit"),
        same("GET", "/images/{name+}/history", "image history"),
        same("GET", "/images/{name+}/get", "image save"),
        same("POST", "/images/{name+}/tag", "image tag"),
        same("POST", "/images/{name+}/push", "image push"),
        InternalRoute(
            "GET", "/images/{name+}", .docker(method: "GET", path: "/images/{name+}/json"), "image inspect"),
        same("DELETE", "/images/{name+}", "image remove"),
    ]

    private static let networks: [InternalRoute] = [
        InternalRoute(
            "POST", "/networks", .docker(method: "POST", path: "/networks/create"), "network create",
            requires: .networks),
        same("GET", "/networks", "network list", requires: .networks),
        same("POST", "/networks/prune", "network prune", requires: .networks),
        same("GET", "/networks/{id}", "network inspect", requires: .networks),
        same("DELETE", "/networks/{id}", "network remove", requires: .networks),
        same("POST", "/networks/{id}/connect", "network connect", requires: .networks),
        same("POST", "/networks/{id}/disconnect", "network disconnect", requires: .networks),
    ]

    private static let volumes: [InternalRoute] = [
        InternalRoute(
            "POST", "/volumes", .docker(method: "POST", path: "/volumes/create"), "volume create", requires: .volumes),
        same("GET", "/volumes", "volume list", requires: .volumes),
        same("POST", "/volumes/prune", "volume prune", requires: .volumes),
        same("GET", "/volumes/{name}", "volume inspect", requires: .volumes),
        same("DELETE", "/volumes/{name}", "volume remove", requires: .volumes),
    ]

    /// Docker's dialect has it at the same path.
    private static func same(
        _ method: String, _ path: String, _ name: String, requires: BackendCapabilities.Feature? = nil
    ) -> InternalRoute {
        InternalRoute(method, path, .docker(method: method, path: path), name, requires: requires)
    }

    // MARK: matching

    /// A route, and what its path's variables stand for here.
    struct Match: Hashable, Sendable {
        let route: InternalRoute
        /// By name, without the plus.
        let values: [String: [String]]

        /// Of the one variable that the paths have; empty where there is none.
        var reference: String { (values["id"] ?? values["name"] ?? []).joined(separator: "/") }
    }

    /// `nil` for what this API does not have. `segments` come with the prefix.
    static func resolve(method: String, segments: [String]) -> Match? {
        guard segments.starts(with: prefix) else { return nil }
        let rest = segments.dropFirst(prefix.count)
        for route in all where route.method == method {
            if let values = match(route.path.split(separator: "/")[...], rest) {
                return Match(route: route, values: values)
            }
        }
        return nil
    }

    private static func match(
        _ pattern: ArraySlice<Substring>, _ segments: ArraySlice<String>
    ) -> [String: [String]]? {
        guard let piece = pattern.first else { return segments.isEmpty ? [:] : nil }
        guard let segment = segments.first else { return nil }
        guard piece.hasPrefix("{") else {
            return piece == segment ? match(pattern.dropFirst(), segments.dropFirst()) : nil
        }
        let takesMany = piece.hasSuffix("+}")
        let name = String(piece.dropFirst().dropLast(takesMany ? 2 : 1))
        let longest = takesMany ? segments.count - (pattern.count - 1) : 1
        guard longest >= 1, let rest = match(pattern.dropFirst(), segments.dropFirst(longest)) else { return nil }
        return rest.merging([name: Array(segments.prefix(longest))]) { _, new in new }
    }

    /// The segments of a path of Docker's dialect with this match's values in it.
    static func expand(_ path: String, _ values: [String: [String]]) -> [String] {
        path.split(separator: "/").flatMap { piece -> [String] in
            guard piece.hasPrefix("{") else { return [String(piece)] }
            return values[String(piece.dropFirst().prefix { $0 != "+" && $0 != "}" })] ?? []
        }
    }
}
