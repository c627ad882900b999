/// What a request asks of Docker's API beyond containers and what is executed in them, by method and path alone.
enum SystemRoute: Hashable, Sendable {
    enum ImageOperation: String, Hashable, Sendable {
        case json, history, tag
    }

    case ping, version, info, events, diskUsage, login
    case pull, images, pruneImages
    case image(String, ImageOperation)
    case removeImage(String)
    case pruneContainers
    case pruneBuildCache
    case networks, pruneNetworks
    case network(String)
    case removeNetwork(String)
    case volumes, pruneVolumes, createVolume, updateVolume
    case volume(String)
    case removeVolume(String)
    case plugins
    case plugin(String)
    /// What no Function App has: networks of its own.
    case notCapable(String)
    /// Docker's API has it and skls does not, for the reason given.
    case notImplemented(operation: String, hint: String)
    case unknown

    /// `segments` come without the version.
    static func resolve(method: String, _ first: String, _ rest: [String]) -> SystemRoute {
        switch (method, first, rest.count) {
        case ("GET", "_ping", 0), ("HEAD", "_ping", 0): .ping
        case ("GET", "version", 0): .version
        case ("GET", "info", 0): .info
        case ("GET", "events", 0): .events
        case ("GET", "system", 1) where rest == ["df"]: .diskUsage
        case ("POST", "auth", 0): .login
        case (_, "images", _): image(method: method, rest)
        case (_, "networks", _): network(method: method, rest)
        case (_, "volumes", _): volume(method: method, rest)
        case (_, "plugins", _): plugin(method: method, rest)
        case ("POST", "build", 1) where rest == ["prune"]: .pruneBuildCache
        case ("POST", "build", 1) where rest == ["cancel"]: missing("build cancel", "nothing is built here")
        default: other(method: method, first, rest)
        }
    }

    private static let elsewhere =
        "images stay in their registry; use the registry's own tools, such as skopeo or crane"

    private static func image(method: String, _ rest: [String]) -> SystemRoute {
        switch (method, rest) {
        case ("POST", ["create"]): return .pull
        case ("GET", ["json"]): return .images
        case ("POST", ["prune"]): return .pruneImages
        case ("GET", ["search"]): return missing("search", "search on the registry's own pages")
        case ("GET", ["get"]): return missing("save", elsewhere)
        case ("POST", ["load"]): return missing("load", "push the image to a registry, and pull it here by its name")
        case ("DELETE", _) where !rest.isEmpty: return .removeImage(rest.joined(separator: "/"))
        default: break
        }
        guard rest.count > 1, let verb = rest.last else { return .unknown }
        let name = rest.dropLast().joined(separator: "/")
        switch (method, verb) {
        case ("GET", "json"): return .image(name, .json)
        case ("GET", "history"): return .image(name, .history)
        case ("POST", "tag"): return .image(name, .tag)
        case ("GET", "get"): return missing("save", elsewhere)
        case ("GET", "attestations"): return missing("image attestations", elsewhere)
        case ("POST", "push"): return missing("push", elsewhere)
        default: return .unknown
        }
    }

    private static func network(method: String, _ rest: [String]) -> SystemRoute {
        switch (method, rest.count) {
        case ("GET", 0): .networks
        case ("POST", 1) where rest == ["prune"]: .pruneNetworks
        case ("POST", 1) where rest == ["create"]: .notCapable("networks")
        case ("GET", 1): .network(rest[0])
        case ("DELETE", 1): .removeNetwork(rest[0])
        case ("POST", 2) where ["connect", "disconnect"].contains(rest[1]): .notCapable("networks")
        default: .unknown
        }
    }

    private static func volume(method: String, _ rest: [String]) -> SystemRoute {
        switch (method, rest.count) {
        case ("GET", 0): .volumes
        case ("POST", 1) where rest == ["prune"]: .pruneVolumes
        case ("POST", 1) where rest == ["create"]: .createVolume
        case ("GET", 1): .volume(rest[0])
        case ("DELETE", 1): .removeVolume(rest[0])
        case ("PUT", 1): .updateVolume
        default: .unknown
        }
    }

    private static func plugin(method: String, _ rest: [String]) -> SystemRoute {
        switch (method, rest.last) {
        case ("GET", nil): .plugins
        case ("GET", "json") where rest.count > 1: .plugin(rest.dropLast().joined(separator: "/"))
        case ("GET", "privileges"), ("POST", .some), ("DELETE", .some):
            missing("plugins", "nothing of the engine can be replaced by plugins")
        default: .unknown
        }
    }

    /// The rest of moby v28's routers (`daemon/server/router`).
    private static func other(method: String, _ first: String, _ rest: [String]) -> SystemRoute {
        switch (method, first, rest.count) {
        case ("POST", "build", 0): missing("build", "build elsewhere and push the image to a registry")
        case ("POST", "commit", 0):
            missing("commit", "a container's files stay in Azure; build the image elsewhere and push it to a registry")
        case ("POST", "session", 0), ("POST", "grpc", 0): missing("buildkit session", "build elsewhere")
        case ("GET", "distribution", _) where rest.count > 1 && rest.last == "json":
            missing("distribution inspect", elsewhere)
        case (_, "swarm", _), (_, "nodes", _), (_, "services", _), (_, "tasks", _), (_, "secrets", _),
            (_, "configs", _):
            ["GET", "POST", "DELETE"].contains(method)
                ? missing("\(first) (swarm mode)", "records declare what should run: see skls apply") : .unknown
        default: .unknown
        }
    }

    private static func missing(_ operation: String, _ hint: String) -> SystemRoute {
        .notImplemented(operation: operation, hint: hint)
    }
}
