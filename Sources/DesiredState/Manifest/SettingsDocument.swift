/// A configuration file: mappings inside each other in YAML, whose leaves are single values. Read by the manifests' own reader, so that duplicate keys,
/// aliases without a bound and characters that nobody sees are faults here, too.
package struct SettingsDocument: Hashable, Sendable {
    package struct Leaf: Hashable, Sendable {
        /// The keys on the way to it, joined with dots.
        package let path: String
        /// As written, without quotes; empty for nothing.
        package let value: String
        /// From 1.
        package let line: Int
    }

    /// In the order of the text.
    package private(set) var leaves: [Leaf] = []
    /// In the order of the text; each says where.
    package private(set) var faults: [ManifestFault] = []

    /// Deeper mappings are no settings of anybody's.
    private static let maximumDepth = 4

    /// `source` = what the file is called in faults.
    package init(_ bytes: some Collection<UInt8>, source: String) {
        let text: ManifestText
        do throws(ManifestFault) {
            text = try ManifestText(bytes, source: source)
        } catch {
            faults = [error]
            return
        }
        var roots: [DocumentNode] = []
        for document in text.documents {
            var reader = YAMLReader(document, source: source)
            reader.read()
            faults += reader.faults
            roots += reader.documents.filter { !$0.isNull }
        }
        for root in roots.dropFirst() {
            note(root, source, "", "a configuration is one document")
        }
        if let root = roots.first { add(root, "", depth: 0, source) }
        faults = ManifestFaults.ordered(faults, source: source)
    }

    private mutating func add(_ node: DocumentNode, _ path: String, depth: Int, _ source: String) {
        switch node.content {
        case .mapping(let members):
            guard depth < SettingsDocument.maximumDepth else {
                note(node, source, path, "nested deeper than any setting")
                return
            }
            var seen: Set<String> = []
            for member in members {
                guard case .string(let key) = member.key.content, !key.contains(".") else {
                    note(member.key, source, path, "a key must be a word, not \(member.key.kindText)")
                    continue
                }
                guard seen.insert(key).inserted else {
                    note(member.key, source, path, "the key \(key) is given twice")
                    continue
                }
                add(member.value, path.isEmpty ? key : path + "." + key, depth: depth + 1, source)
            }
        case .sequence: note(node, source, path, "must be a single value, not a list")
        case _ where path.isEmpty: note(node, source, path, "a configuration is a mapping, not \(node.kindText)")
        case .null: leaves.append(Leaf(path: path, value: "", line: node.line))
        case .bool(let value): leaves.append(Leaf(path: path, value: String(value), line: node.line))
        case .int(let value): leaves.append(Leaf(path: path, value: String(value), line: node.line))
        case .string(let text), .other(let text, _): leaves.append(Leaf(path: path, value: text, line: node.line))
        }
    }

    private mutating func note(_ node: DocumentNode, _ source: String, _ path: String, _ message: String) {
        faults.append(
            ManifestFault(source: source, line: node.line, column: node.column, field: path, message: message))
    }
}
