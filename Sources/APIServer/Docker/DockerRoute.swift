/// What a request asks of Docker's API, by method and path alone.
enum DockerRoute: Hashable, Sendable {
    enum ContainerOperation: String, Hashable, Sendable {
        case json, start, stop, kill, restart, wait, attach, logs, rename, exec, resize, update, top, stats, changes
        case export
        case statArchive, readArchive, writeArchive, attachSocket
    }

    enum ExecOperation: String, Hashable, Sendable {
        case json, start, resize
    }

    /// Everything beyond containers and what is executed in them.
    case system(SystemRoute)
    case createContainer
    case containers
    case container(String, ContainerOperation)
    case removeContainer(String)
    case exec(String, ExecOperation)
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
        if method == "GET", rest.count >= 3, rest.suffix(2) == ["attach", "ws"] {
            return .container(rest.dropLast(2).joined(separator: "/"), .attachSocket)
        }
        guard rest.count >= 2, let verb = rest.last else { return .unknown }
        let reference = rest.dropLast().joined(separator: "/")
        if let operation = ContainerOperation(method: method, verb: verb) {
            return .container(reference, operation)
        }
        switch (method, verb) {
        case ("POST", "pause"), ("POST", "unpause"): return missing(verb, "a Function App cannot be paused")
        default: return .unknown
        }
    }

    private static func exec(method: String, _ rest: [String]) -> DockerRoute {
        guard rest.count == 2, let operation = ExecOperation(rawValue: rest[1]),
            method == (operation == .json ? "GET" : "POST")
        else { return .unknown }
        return .exec(rest[0], operation)
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
        case .statArchive, .readArchive, .writeArchive, .attachSocket: nil
        }
    }
}
