import DesiredState

/// The `filters` of a Docker request, with moby's ways to compare (v28, `api/types/filters/parse.go`).
struct FilterArguments: Hashable, Sendable {
    /// In the order in which they came.
    private let values: [String: [String]]

    /// Both encodings: `{"label":["a=b"]}` (docker-py) and `{"label":{"a=b":true}}` (the CLI). Throws 400 for others and, if `allowed` is given, for keys
    /// that are not in it.
    init(_ text: String?, allowed: Set<String>? = nil) throws(DockerError) {
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
            if let allowed, !allowed.contains(member.name) { throw .badParameter("invalid filter '\(member.name)'") }
            switch member.value {
            case .object(let flags): values[member.name, default: []] += flags.map(\.name)
            case .array: values[member.name, default: []] += try parsed.strings(member.name)
            default: throw .badParameter("invalid filter '\(member.name)': must be a list")
            }
        }
        self.values = values
    }

    subscript(key: String) -> [String] { values[key] ?? [] }

    func contains(_ key: String) -> Bool { !self[key].isEmpty }

    /// One of the values, or none was given.
    func exactly(_ key: String, _ text: String) -> Bool { any(key) { $0 == text } }

    /// Begins with one of the values, or none was given.
    func beginning(_ key: String, _ text: String) -> Bool { any(key) { text.hasPrefix($0) } }

    func any(_ key: String, _ matches: (String) -> Bool) -> Bool {
        let wanted = self[key]
        return wanted.isEmpty || wanted.contains(where: matches)
    }

    /// `KEY` or `KEY=VALUE`, and all of them.
    func matchesAll(_ key: String, of pairs: [String: String]) -> Bool {
        self[key].allSatisfy { FilterArguments.pairs(pairs, have: $0) }
    }

    /// What prunes take: all of `label`, and not all of `label!` (moby v28, `daemon/prune.go`).
    func matchesLabels(_ labels: [String: String]) -> Bool {
        matchesAll("label", of: labels) && !(contains("label!") && matchesAll("label!", of: labels))
    }

    private static func pairs(_ pairs: [String: String], have wanted: String) -> Bool {
        let parts = wanted.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard let value = pairs[parts[0]] else { return false }
        return parts.count == 1 || value == parts[1]
    }

    /// `nil` = not given. Throws 400 for anything but `true`, `1`, `false` and `0`, and for both at once.
    func flag(_ key: String) throws(DockerError) -> Bool? {
        let wanted = self[key]
        guard !wanted.isEmpty else { return nil }
        let isTrue = wanted.contains { ["1", "true"].contains($0) }
        let isFalse = wanted.contains { ["0", "false"].contains($0) }
        guard isTrue != isFalse else {
            throw .badParameter("invalid filter '\(key)=[\(wanted.joined(separator: " "))]'")
        }
        return isTrue
    }

    /// The moment of `until`; `nil` = not given. A span (`1h30m`) counts back from `now`. Throws 400.
    func until(_ now: Instant) throws(DockerError) -> Instant? {
        let wanted = self["until"]
        guard let text = wanted.first else { return nil }
        guard wanted.count == 1 else { throw .badParameter("more than one until filter specified") }
        if let span = GoDuration.parse(text) { return now + (.zero - span) }
        let zoned = text.contains("T") ? text.count <= 16 ? text + ":00Z" : text + "Z" : text + "T00:00:00Z"
        if let instant = Instant(rfc3339: text) ?? Instant(rfc3339: zoned) { return instant }
        return try LogQuery.nanoseconds(text, name: "until").map { Instant(nanoseconds: Int64(clamping: $0)) }
    }
}

/// A name filter: moby matches names as regular expressions, which take it a time in proportion to the name. Ours can take longer, so what could take
/// for ever is refused.
struct NamePattern {
    private let text: String
    private let expression: Regex<AnyRegexOutput>?

    /// Bounds: names have up to 256 characters, and the time grows with the power of the number of repetitions.
    private static let maximumBytes = 256
    private static let maximumRepetitions = 3

    /// Throws 400. A text that is no expression is looked for as it is.
    init(_ text: String) throws(DockerError) {
        self.text = text
        guard text.contains(where: { !$0.isLetter && !$0.isNumber && $0 != "_" && $0 != "-" }) else {
            expression = nil
            return
        }
        let repetitions = text.utf8.count { [UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "{")].contains($0) }
        let hasNested = [")*", ")+", "){"].contains { text.contains($0) }
        guard text.utf8.count <= NamePattern.maximumBytes, repetitions <= NamePattern.maximumRepetitions, !hasNested
        else { throw .badParameter("the name filter is too complex: at most 3 repetitions, and none of a group") }
        // The error of a malformed expression is lost because the text itself is looked for instead.
        expression = try? Regex(text)
    }

    func matches(_ name: String) -> Bool {
        guard let expression else { return name.contains(text) }
        return name.contains(expression)
    }
}
