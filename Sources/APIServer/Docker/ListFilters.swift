import DesiredState

/// The `filters` of a list request: for each key any of its values must match, labels all of them (moby v28, `daemon/list.go`).
struct ListFilters: Sendable {
    private let values: [String: [String]]

    /// Keys that moby takes for containers.
    static let containerKeys: Set<String> = [
        "ancestor", "before", "exited", "expose", "health", "id", "is-task", "isolation", "label", "name", "network",
        "publish", "since", "status", "volume",
    ]

    /// Both encodings: `{"label":["a=b"]}` (docker-py) and `{"label":{"a=b":true}}` (the CLI). Throws 400 on others and on unknown keys.
    init(_ text: String?, allowed: Set<String>) throws(DockerError) {
        guard let text, !text.isEmpty else {
            values = [:]
            return
        }
        let parsed: JSON
        do throws(JSONError) {
            parsed = try JSON.parse(text, depth: 4)
        } catch {
            throw .badParameter("invalid filter: not JSON")
        }
        guard case .object(let members) = parsed else { throw .badParameter("invalid filter: must be an object") }
        var values: [String: [String]] = [:]
        for member in members {
            guard allowed.contains(member.name) else { throw .badParameter("invalid filter '\(member.name)'") }
            switch member.value {
            case .object(let flags): values[member.name] = flags.filter { $0.value == .bool(true) }.map(\.name)
            case .array: values[member.name] = try parsed.strings(member.name)
            default: throw .badParameter("invalid filter '\(member.name)': must be a list")
            }
        }
        self.values = values
        for status in self["status"] where !ListFilters.statuses.contains(status) {
            throw .badParameter("invalid filter 'status=\(status)'")
        }
        for code in self["exited"] where Int(code) == nil {
            throw .badParameter("invalid filter 'exited=\(code)'")
        }
    }

    private static let statuses: Set = ["created", "restarting", "running", "removing", "paused", "exited", "dead"]

    subscript(key: String) -> [String] { values[key] ?? [] }

    /// Stopped containers are listed when the filter asks about them.
    var asksForStopped: Bool { !self["status"].isEmpty || !self["exited"].isEmpty }

    func matches(_ record: FunctionApp, _ state: ContainerState) -> Bool {
        any("id") { !$0.isEmpty && record.uid.text.hasPrefix($0) }
            && any("name") { ListFilters.name(record.metadata.name.text, matches: $0) }
            && self["label"].allSatisfy { ListFilters.labels(record.metadata.labels, have: $0) }
            && any("status") { state.status.rawValue == $0 }
            && any("exited") { state.status == .exited && state.exitCode == Int($0) }
            && any("ancestor") { ListFilters.image(record.spec.image, isAncestor: $0) }
            && any("network") { ["bridge", "default"].contains($0) }
            && any("health") { $0 == "none" }
            && any("isolation") { $0 == "default" }
            && any("is-task") { ["0", "f", "false"].contains($0.lowercased()) }
            && ["volume", "publish", "expose"].allSatisfy { self[$0].isEmpty }
    }

    private func any(_ key: String, _ matches: (String) -> Bool) -> Bool {
        guard let wanted = values[key], !wanted.isEmpty else { return true }
        return wanted.contains(where: matches)
    }

    /// moby matches names as regular expressions, with and without the slash in front; a text that is none is looked for as it is.
    private static func name(_ name: String, matches pattern: String) -> Bool {
        // Long expressions could take for ever; the error of a malformed one is lost because the text itself is tried instead.
        guard pattern.utf8.count <= 256, let expression = try? Regex(pattern) else { return name.contains(pattern) }
        return name.contains(expression) || ("/" + name).contains(expression)
    }

    private static func labels(_ labels: [String: String], have wanted: String) -> Bool {
        let parts = wanted.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard let value = labels[parts[0]] else { return false }
        return parts.count == 1 || value == parts[1]
    }

    private static func image(_ image: ImageReference, isAncestor wanted: String) -> Bool {
        // A text that is no reference names no image.
        guard let reference = try? ImageReference(parsing: wanted) else { return false }
        return reference.canonical == image.canonical
    }
}
