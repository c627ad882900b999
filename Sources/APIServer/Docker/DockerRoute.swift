/// What a request asks of Docker's API, by method and path alone.
enum DockerRoute: Hashable, Sendable {
    enum ContainerOperation: String, Hashable, Sendable {
        case json, start, stop, kill, restart, wait, attach, logs, rename
    }

    /// Everything beyond containers and what is executed in them.
    case system(SystemRoute)
    case createContainer
    case containers
    case container(String, ContainerOperation)
    case removeContainer(String)
    /// Docker's API has it and skls does not, for the reason given.
    case notImplemented(operation: String, hint: String)
    case unknown

    /// `segments` come without the version. References may hold slashes: images do, and Docker's link names did.
    static func resolve(method: String, segments: [String]) -> DockerRoute {
        guard let first = segments.first else { return .unknown }
        let rest = Array(segments.dropFirst())
        switch first {
        case "containers": return container(method: method, rest)
        case "exec": return exec(method: method, rest)
        default: return .system(SystemRoute.resolve(method: method, first, rest))
        }
    }

    private static func container(method: String, _ rest: [String]) -> DockerRoute {
        switch (method, rest) {
        case ("GET", ["json"]): return .containers
        case ("POST", ["create"]): return .createContainer
        case ("POST", ["prune"]): return .system(.pruneContainers)
        case (_, []): return .unknown
        case ("DELETE", _): return .removeContainer(rest.joined(separator: "/"))
        default: break
        }
        guard rest.count >= 2, let verb = rest.last else { return .unknown }
        let reference = rest.dropLast().joined(separator: "/")
        if let operation = ContainerOperation(rawValue: verb), method == operation.method {
            return .container(reference, operation)
        }
        switch (method, verb) {
        case ("POST", "exec"):
            return missing(
                "exec", "exec comes with agent sessions; until then start another container with docker run")
        case ("POST", "pause"), ("POST", "unpause"): return missing(verb, "a Function App cannot be paused")
        case ("POST", "resize"): return missing(verb, "containers have no terminal yet")
        case ("POST", "update"): return missing(verb, "remove the container and create it anew")
        case ("GET", "top"), ("GET", "stats"), ("GET", "changes"), ("GET", "export"): return missing(verb)
        case ("GET", "archive"), ("HEAD", "archive"), ("PUT", "archive"):
            return missing("cp", "files can go in through standard input and come out through standard output")
        case ("GET", "ws") where rest.dropLast().last == "attach": return missing("attach over a WebSocket")
        default: return .unknown
        }
    }

    private static func exec(method: String, _ rest: [String]) -> DockerRoute {
        switch (method, rest.last) {
        case ("POST", "start") where rest.count == 2, ("POST", "resize") where rest.count == 2,
            ("GET", "json") where rest.count == 2:
            return missing("exec", "exec comes with agent sessions; until then start another container with docker run")
        default: return .unknown
        }
    }

    private static func missing(_ operation: String, _ hint: String = "") -> DockerRoute {
        .notImplemented(operation: operation, hint: hint)
    }
}

extension DockerRoute.ContainerOperation {
    var method: String {
        switch self {
        case .json, .logs: "GET"
        case .start, .stop, .kill, .restart, .wait, .attach, .rename: "POST"
        }
    }
}
