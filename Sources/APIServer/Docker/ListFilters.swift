import DesiredState

/// Which containers a list shows: for each key any of its values must match, labels all of them (moby v28, `daemon/list.go`).
struct ListFilters {
    let arguments: FilterArguments
    private let names: [NamePattern]
    /// Ids of the images that `ancestor` names, and the references themselves.
    private let ancestors: (ids: Set<String>, references: Set<String>)

    /// Keys that moby takes for containers.
    private static let keys: Set<String> = [
        "ancestor", "before", "exited", "expose", "health", "id", "is-task", "isolation", "label", "name", "network",
        "publish", "since", "status", "volume",
    ]
    private static let statuses: Set = ["created", "restarting", "running", "removing", "paused", "exited", "dead"]
    private static let healths: Set = ["none", "starting", "healthy", "unhealthy"]

    /// Throws moby's refusals.
    init(_ text: String?, images: ImageCatalog) throws(DockerError) {
        arguments = try FilterArguments(text, allowed: ListFilters.keys)
        for status in arguments["status"] where !ListFilters.statuses.contains(status) {
            throw .badParameter(
                "invalid filter 'status=\(status)': invalid value for state (\(status)): must be one of created, running, paused, restarting, removing, exited, dead"
            )
        }
        for code in arguments["exited"] where Int(code) == nil {
            throw .badParameter(
                "invalid filter 'exited=\(code)': strconv.Atoi: parsing \"\(code)\": invalid syntax")
        }
        for health in arguments["health"] where !ListFilters.healths.contains(health) {
            throw .badParameter("invalid filter 'health=\(health)'")
        }
        for key in ["publish", "expose"] {
            for port in arguments[key] where !ListFilters.isPort(port) {
                throw .badParameter("invalid filter '\(key)=\(port)'")
            }
        }
        if arguments.contains("is-task") { _ = try arguments.flag("is-task") }
        var names: [NamePattern] = []
        for text in arguments["name"] { names.append(try NamePattern(text)) }
        self.names = names
        var ids: Set<String> = []
        var references: Set<String> = []
        for text in arguments["ancestor"] {
            // An image that is not known is the ancestor of none, and ambiguous beginnings of ids are, too.
            if let found = try? images.find(text) { ids.insert(found.entry.id) }
            if let reference = ImageReference(codedText: text) { references.insert(reference.canonical) }
        }
        ancestors = (ids, references)
    }

    /// `8080`, `8080/tcp`, `8000-8010/udp`.
    private static func isPort(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), parts.count == 1 || ["tcp", "udp", "sctp"].contains(parts[1]) else {
            return false
        }
        let ends = parts[0].split(separator: "-", omittingEmptySubsequences: false).map { UInt16($0) }
        return (1...2).contains(ends.count) && !ends.contains(nil)
    }

    subscript(key: String) -> [String] { arguments[key] }

    /// Stopped containers are listed when the filter asks about states, or for what was made before or after another container.
    var asksForStopped: Bool { ["status", "before", "since"].contains { arguments.contains($0) } }

    func matches(_ record: FunctionApp, _ state: ContainerState, imageID: String) -> Bool {
        arguments.any("id") { !$0.isEmpty && record.uid.text.hasPrefix($0) }
            && (names.isEmpty
                || names.contains {
                    $0.matches(record.metadata.name.text) || $0.matches("/" + record.metadata.name.text)
                })
            && arguments.matchesAll("label", of: record.metadata.labels)
            && arguments.exactly("status", state.status.rawValue)
            && arguments.any("exited") { state.status == .exited && state.exitCode == Int($0) }
            && arguments.any("ancestor") { _ in
                ancestors.ids.contains(imageID) || ancestors.references.contains(record.spec.image.canonical)
            }
            && arguments.any("network") { PredefinedNetwork.bridge.isMeant(by: $0) || $0 == "default" }
            && arguments.any("health") { $0 == "none" }
            && arguments.any("isolation") { $0 == "default" }
            && arguments.any("is-task") { ["0", "false"].contains($0) }
            && arguments.any("volume") { text in
                record.spec.volumes.contains { $0.name.text == text || $0.mountPath == text }
            }
            && ["publish", "expose"].allSatisfy { !arguments.contains($0) }
    }
}
