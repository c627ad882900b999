/// Values of the types that manifests have. Each notes its fault and returns `nil`, or what could be read.
extension ManifestDecoder {
    /// The mapping's values by key; notes unknown, repeated and missing keys. `nil` when it is no mapping.
    mutating func fields(
        _ node: DocumentNode, at field: String, _ known: ManifestKeys.Mapping? = nil
    ) -> [String: DocumentNode]? {
        let path = field.replacing(/\[[0-9]+\]/, with: "[]")
        guard let keys = known ?? ManifestKeys.mappings[path] else {
            preconditionFailure("no keys are known for \(path)")
        }
        guard let entries = entries(node, at: field, "a mapping") else { return nil }
        var values: [String: DocumentNode] = [:]
        for (key, value) in entries {
            guard case .string(let name) = key.content, keys.allowed.contains(name) || keys.ignored.contains(name)
            else {
                unknown(key, at: field, keys)
                continue
            }
            // As in Kubernetes: given without a value is not given.
            if keys.allowed.contains(name), !value.isNull { values[name] = value }
        }
        for name in keys.required where values[name] == nil {
            note(node, field.isEmpty ? name : field + "." + name, "is missing")
        }
        return values
    }

    private mutating func unknown(_ key: DocumentNode, at field: String, _ keys: ManifestKeys.Mapping) {
        guard case .string(let name) = key.content else {
            if !isMergeKey(key) { note(key, field, "a key must be a string, not \(key.kindText)") }
            return
        }
        let near = Spelling.nearest(to: name, in: keys.allowed).map { "did you mean \($0)? " } ?? ""
        note(
            key, field, "unknown key \(quoted(name)); \(near)allowed: \(keys.allowed.sorted().joined(separator: ", "))")
    }

    /// The entries of a mapping; notes keys that are given twice, and merge keys.
    private mutating func entries(
        _ node: DocumentNode, at field: String, _ wanted: String
    ) -> [(key: DocumentNode, value: DocumentNode)]? {
        guard case .mapping(let entries) = node.content else {
            note(node, field, "must be \(wanted), not \(node.kindText)")
            return nil
        }
        var first: [String: DocumentNode] = [:]
        for (key, _) in entries {
            if isMergeKey(key) {
                note(key, field, "merge keys (<<) are not read; write the keys out, or use an alias for a whole value")
            }
            guard case .string(let name) = key.content else { continue }
            if let earlier = first.updateValue(key, forKey: name) {
                note(
                    key, field.isEmpty ? name : field + "." + name,
                    "is given twice, first at \(earlier.line):\(earlier.column)")
            }
        }
        return entries
    }

    private func isMergeKey(_ key: DocumentNode) -> Bool {
        if case .other(DocumentNode.Content.mergeKey, _) = key.content { return true }
        return false
    }

    mutating func constant(_ node: DocumentNode?, at field: String, _ expected: [String]) {
        guard let node, let text = string(node, at: field), !expected.contains(text) else { return }
        note(node, field, "must be \(expected.joined(separator: " or ")), not \(quoted(text))")
    }

    mutating func string(_ node: DocumentNode, at field: String) -> String? {
        switch node.content {
        case .string(let text): return text
        case .bool, .int, .other: note(node, field, "must be a string, not \(node.kindText); put it in quotes")
        case .null, .sequence, .mapping: note(node, field, "must be a string, not \(node.kindText)")
        }
        return nil
    }

    mutating func strings(_ node: DocumentNode, at field: String) -> [String] {
        guard case .sequence(let items) = node.content else {
            note(node, field, "must be a list of strings, not \(node.kindText)")
            return []
        }
        return items.enumerated().compactMap { index, item in
            guard let text = string(item, at: "\(field)[\(index)]") else { return nil }
            guard !text.contains("\0") else {
                note(item, "\(field)[\(index)]", "must not hold the character NUL")
                return nil
            }
            return text
        }
    }

    mutating func stringMap(_ node: DocumentNode, at field: String) -> [String: String] {
        var values: [String: String] = [:]
        for (key, value) in entries(node, at: field, "a mapping of strings") ?? [] where !isMergeKey(key) {
            guard case .string(let name) = key.content else {
                note(key, field, "a key must be a string, not \(key.kindText); put it in quotes")
                continue
            }
            if name.isEmpty { note(key, field, "a key must not be empty") }
            if let text = string(value, at: "\(field).\(name)") { values[name] = text }
        }
        return values
    }

    mutating func bool(_ node: DocumentNode, at field: String) -> Bool? {
        if case .bool(let value) = node.content { return value }
        note(node, field, "must be true or false, not \(node.kindText)")
        return nil
    }

    /// One of an enumeration's words.
    mutating func choice<Value: RawRepresentable & CaseIterable>(
        _ node: DocumentNode, at field: String
    ) -> Value? where Value.RawValue == String {
        guard let text = string(node, at: field) else { return nil }
        if let value = Value(rawValue: text) { return value }
        let words = Value.allCases.map(\.rawValue)
        let near = Spelling.nearest(to: text, in: words).map { "; did you mean \($0)?" } ?? ""
        note(node, field, "must be \(words.joined(separator: " or ")), not \(quoted(text))\(near)")
        return nil
    }

    mutating func int(_ node: DocumentNode, at field: String, in range: ClosedRange<Int>) -> Int? {
        guard case .int(let value) = node.content else {
            var hint = ""
            if case .string(let text) = node.content, Int(text) != nil { hint = "; leave the quotes out" }
            note(
                node, field,
                "must be a whole number from \(range.lowerBound) to \(range.upperBound), not \(node.kindText)\(hint)")
            return nil
        }
        guard range.contains(value) else {
            note(node, field, "must be from \(range.lowerBound) to \(range.upperBound), not \(value)")
            return nil
        }
        return value
    }

    /// A whole number of seconds, by default up to a year.
    mutating func seconds(_ node: DocumentNode, at field: String, atMost limit: Int = 31_536_000) -> Int? {
        if case .string(let text) = node.content, let duration = Duration(spokenText: text) {
            note(
                node, field,
                "must be a whole number of seconds without a unit, not \(quoted(text)); write \(duration.components.seconds)"
            )
            return nil
        }
        return int(node, at: field, in: 0...limit)
    }

    /// RFC 3339, in quotes or not.
    mutating func time(_ node: DocumentNode, at field: String) -> Instant? {
        let text: String
        switch node.content {
        case .string(let value), .other(let value, _): text = value
        default:
            note(node, field, "must be a time such as 2026-01-31T12:00:00Z, not \(node.kindText)")
            return nil
        }
        if let instant = Instant(rfc3339: text) { return instant }
        note(node, field, "must be a time with a zone, such as 2026-01-31T12:00:00Z, not \(quoted(text))")
        return nil
    }
}

extension Duration {
    /// A time span as people write it: `30s`, `5m`, `1h30m`, `2d`, `500ms`; `nil` for anything else.
    package init?(spokenText text: String) {
        var rest = text[...]
        var total = Duration.zero
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            rest = rest.dropFirst(digits.count)
            let unit = rest.prefix { $0.isLetter }
            rest = rest.dropFirst(unit.count)
            // Eleven digits of days are far below what overflows.
            guard digits.count <= 11, let number = Int64(digits) else { return nil }
            switch unit {
            case "ms": total += .milliseconds(number)
            case "s": total += .seconds(number)
            case "m": total += .seconds(number * 60)
            case "h": total += .seconds(number * 3600)
            case "d": total += .seconds(number * 86_400)
            default: return nil
            }
        }
        self = total
    }
}
