/// What a request asks of Docker's API, by method and path alone.
enum DockerRoute: Hashable, Sendable {
    enum ContainerOperation: String, Hashable, Sendable {
        case json, start, stop, kill, restart, wait, attach, logs, rename, exec, resize, update, top, stats, changes
        case export
        case statArchive, readArchive, writeArchive
    }

    enum ExecOperation: String, Hashable, Sendable {
        case json, start, resize
    }

    case ping, version, info
    case pull
    case images
    case image(String)
    case createContainer
    case containers
    case container(String, ContainerOperation)
    case removeContainer(String)
    case exec(String, ExecOperation)
    /// Lists that are readable though skls has no such things: clients look before they decide what they need.
    case networks
    case network(String)
    case volumes
    case volume(String)
    case plugins
    case plugin(String)
    /// Docker's API has it and skls does not, for the reason given.
    case notImplemented(operation: String, hint: String)
    case unknown

    /// `segments` come without the version. References may hold slashes: images do, and Docker's link names did.
    static func resolve(method: String, segments: [String]) -> DockerRoute {
        guard let first = segments.first else { return .unknown }
        let rest = Array(segments.dropFirst())
        switch first {
        case "_ping" where rest.isEmpty && (method == "GET" || method == "HEAD"): return .ping
        case "version" where rest.isEmpty && method == "GET": return .version
        case "info" where rest.isEmpty && method == "GET": return .info
        case "containers": return container(method: method, rest)
        case "images": return image(method: method, rest)
        case "networks": return network(method: method, rest)
        case "volumes": return volume(method: method, rest)
        case "plugins": return plugin(method: method, rest)
        case "exec": return exec(method: method, rest)
        default: return other(method: method, first, rest)
        }
    }

    private static func container(method: String, _ rest: [String]) -> DockerRoute {
        switch (method, rest) {
        case ("GET", ["json"]): return .containers
        case ("POST", ["create"]): return .createContainer
        case ("POST", ["prune"]): return missing("container prune", "remove containers by name: docker rm NAME…")
        case (_, []): return .unknown
        case ("DELETE", _): return .removeContainer(rest.joined(separator: "/"))
        default: break
        }
        guard rest.count >= 2, let verb = rest.last else { return .unknown }
        let reference = rest.dropLast().joined(separator: "/")
        if let operation = ContainerOperation(method: method, verb: verb) {
            return .container(reference, operation)
        }
        switch (method, verb) {
        case ("POST", "pause"), ("POST", "unpause"): return missing(verb, "a Function App cannot be paused")
        case ("GET", "ws") where rest.dropLast().last == "attach": return missing("attach over a WebSocket")
        default: return .unknown
        }
    }

    private static func image(method: String, _ rest: [String]) -> DockerRoute {
        switch (method, rest.first, rest.last) {
        case ("POST", "create", "create") where rest.count == 1: return .pull
        case ("GET", "json", "json") where rest.count == 1: return .images
        case ("GET", "search", _) where rest.count == 1: return missing("search")
        case ("GET", "get", _) where rest.count == 1: return missing("save", "images stay in their registry")
        case ("POST", "load", _) where rest.count == 1: return missing("load", "push the image to a registry")
        case ("POST", "prune", _) where rest.count == 1: return missing("image prune", "skls keeps no images")
        case ("GET", _, "json") where rest.count > 1: return .image(rest.dropLast().joined(separator: "/"))
        case ("GET", _, "history"), ("GET", _, "get"), ("GET", _, "attestations"):
            return rest.count > 1 ? missing("image \(rest.last ?? "")", "images stay in their registry") : .unknown
        case ("POST", _, "push"), ("POST", _, "tag"):
            return rest.count > 1 ? missing(rest.last ?? "", "images stay in their registry") : .unknown
        case ("DELETE", .some, _): return missing("rmi", "skls keeps no images, only the names that were pulled")
        default: return .unknown
        }
    }

    private static func network(method: String, _ rest: [String]) -> DockerRoute {
        let hint = "containers reach the internet and each other's public addresses only"
        switch (method, rest.count) {
        case ("GET", 0): return .networks
        case ("POST", 1) where rest == ["create"] || rest == ["prune"]: return missing("network \(rest[0])", hint)
        case ("GET", 1): return .network(rest[0])
        case ("DELETE", 1): return missing("network rm", hint)
        case ("POST", 2) where ["connect", "disconnect"].contains(rest[1]): return missing("network \(rest[1])", hint)
        default: return .unknown
        }
    }

    private static func volume(method: String, _ rest: [String]) -> DockerRoute {
        let hint = "containers have no shared storage yet"
        switch (method, rest.count) {
        case ("GET", 0): return .volumes
        case ("POST", 1) where rest == ["create"] || rest == ["prune"]: return missing("volume \(rest[0])", hint)
        case ("GET", 1): return .volume(rest[0])
        case ("DELETE", 1): return missing("volume rm", hint)
        case ("PUT", 1): return missing("volume update", hint)
        default: return .unknown
        }
    }

    private static func plugin(method: String, _ rest: [String]) -> DockerRoute {
        switch (method, rest.last) {
        case ("GET", nil): return .plugins
        case ("GET", "json") where rest.count > 1: return .plugin(rest.dropLast().joined(separator: "/"))
        case ("GET", "privileges"), ("POST", .some), ("DELETE", .some): return missing("plugin")
        default: return .unknown
        }
    }

    private static func exec(method: String, _ rest: [String]) -> DockerRoute {
        guard rest.count == 2, let operation = ExecOperation(rawValue: rest[1]),
            method == (operation == .json ? "GET" : "POST")
        else { return .unknown }
        return .exec(rest[0], operation)
    }

    /// The rest of moby v28's routers (`daemon/server/router`).
    private static func other(method: String, _ first: String, _ rest: [String]) -> DockerRoute {
        switch (method, first, rest.count) {
        case ("POST", "build", 0): return missing("build", "build elsewhere and push the image to a registry")
        case ("POST", "build", 1): return missing("build \(rest[0])", "skls keeps no build cache")
        case ("POST", "commit", 0): return missing("commit")
        case ("POST", "auth", 0):
            return missing("login", "credentials of registries belong to the daemon's configuration")
        case ("GET", "events", 0): return missing("events", "skls get shows the state of every container")
        case ("GET", "system", 1) where rest == ["df"]:
            return missing("system df", "skls stores nothing on this machine")
        case ("POST", "session", 0), ("POST", "grpc", 0): return missing("buildkit session", "build elsewhere")
        case ("GET", "distribution", _) where rest.last == "json": return missing("distribution inspect")
        case (_, "swarm", _), (_, "nodes", _), (_, "services", _), (_, "tasks", _), (_, "secrets", _),
            (_, "configs", _):
            return ["GET", "POST", "DELETE"].contains(method) ? missing("\(first) (swarm mode)") : .unknown
        default: return .unknown
        }
    }

    private static func missing(_ operation: String, _ hint: String = "") -> DockerRoute {
        .notImplemented(operation: operation, hint: hint)
    }
}

extension DockerRoute.ContainerOperation {
    init?(method: String, verb: String) {
        if verb == "archive" {
            switch method {
            case "HEAD": self = .statArchive
            case "GET": self = .readArchive
            case "PUT": self = .writeArchive
            default: return nil
            }
            return
        }
        guard let operation = Self(rawValue: verb), operation.method == method else { return nil }
        self = operation
    }

    /// `nil`: it is no word of a path.
    private var method: String? {
        switch self {
        case .json, .logs, .top, .stats, .changes, .export: "GET"
        case .start, .stop, .kill, .restart, .wait, .attach, .rename, .exec, .resize, .update: "POST"
        case .statArchive, .readArchive, .writeArchive: nil
        }
    }
}
