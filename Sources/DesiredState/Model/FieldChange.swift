import Foundation

/// A field of a record that differs between two of its forms. Values are JSON; those of environment variables and
/// application settings are redacted.
package struct FieldChange: Hashable, Sendable, Codable {
    /// Such as `spec.image`, `spec.env.NAME`, `metadata.labels.NAME`.
    package var path: String
    /// `nil` = not there.
    package var from: String?
    package var to: String?

    package init(path: String, from: String?, to: String?) {
        self.path = path
        self.from = from
        self.to = to
    }

    /// Where users' part of the record changes from `earlier` to `later`, in order of the paths; for a new record (`nil`),
    /// where it is not as a manifest that says nothing would have it.
    package static func between(_ earlier: FunctionApp?, _ later: FunctionApp) throws -> [FieldChange] {
        var blank = later
        blank.metadata.labels = [:]
        blank.metadata.annotations = [:]
        blank.spec = FunctionAppSpec(image: later.spec.image)
        var before = try fields(earlier ?? blank)
        let after = try fields(later)
        if earlier == nil { before["spec.image"] = nil }
        let paths = Set(before.keys).union(after.keys).filter { before[$0] != after[$0] }
        var changes = paths.sorted().map { path in
            FieldChange(path: path, from: earlier == nil ? nil : before[path]?.shown, to: after[path]?.shown)
        }
        if let earlier, changes.isEmpty, earlier.spec.env != later.spec.env {
            changes.append(
                FieldChange(
                    path: "spec.env", from: names(earlier.spec.env), to: names(later.spec.env)))
        }
        return changes
    }

    /// A value that is compared as it is, and shown as it may be.
    private struct Field: Equatable {
        let value: String
        let isSecret: Bool

        var shown: String { isSecret ? "(redacted)" : value }
    }

    private static func fields(_ record: FunctionApp) throws -> [String: Field] {
        var fields: [String: Field] = [:]
        func add(_ path: String, _ value: some Encodable, isSecret: Bool = false) throws {
            fields[path] = Field(value: try text(value), isSecret: isSecret)
        }
        for (name, value) in record.metadata.labels { try add("metadata.labels." + name, value) }
        // Annotations of ours are other interfaces' notes, and no manifest's.
        for (name, value) in record.metadata.annotations
        where name.split(separator: "/").first?.hasSuffix("skls.dev") != true {
            try add("metadata.annotations." + name, value)
        }
        var spec = record.spec
        for variable in spec.env { try add("spec.env." + variable.name, variable.value, isSecret: true) }
        for (name, value) in spec.azure.appSettings {
            try add("spec.azure.appSettings." + name, value, isSecret: true)
        }
        for (name, value) in spec.azure.tags { try add("spec.azure.tags." + name, value) }
        spec.env = []
        spec.azure = AzureSettings()
        let tree = try JSONDecoder().decode([String: Tree].self, from: JSONEncoder().encode(spec))
        for (name, node) in tree where !["env", "azure"].contains(name) {
            for (path, leaf) in node.leaves("spec." + name) { try add(path, leaf) }
        }
        return fields
    }

    private static func names(_ variables: [EnvironmentVariable]) -> String {
        variables.map(\.name).joined(separator: ", ")
    }

    private static func text(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    /// JSON whose objects are gone into; lists stay whole.
    private indirect enum Tree: Codable {
        case object([String: Tree])
        case list([Tree])
        case flag(Bool)
        case number(Int64)
        case text(String)
        case null

        init(from decoder: any Decoder) throws {
            if let members = try? [String: Tree](from: decoder) {
                self = .object(members)
            }  // else it is no object
            else if let items = try? [Tree](from: decoder) {
                self = .list(items)
            }  // else it is no list
            else {
                let value = try decoder.singleValueContainer()
                if value.decodeNil() {
                    self = .null
                } else if let flag = try? value.decode(Bool.self) {
                    self = .flag(flag)
                }  // else it is no flag
                else if let number = try? value.decode(Int64.self) {
                    self = .number(number)
                }  // else it is no number
                else {
                    self = .text(try value.decode(String.self))
                }
            }
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            switch self {
            case .object(let members): try container.encode(members)
            case .list(let items): try container.encode(items)
            case .flag(let flag): try container.encode(flag)
            case .number(let number): try container.encode(number)
            case .text(let text): try container.encode(text)
            case .null: try container.encodeNil()
            }
        }

        func leaves(_ path: String) -> [(path: String, leaf: Tree)] {
            // An empty object says something, too: `suspend: {}` is a pause without particulars.
            guard case .object(let members) = self, !members.isEmpty else { return [(path, self)] }
            return members.sorted { $0.key < $1.key }.flatMap { $0.value.leaves(path + "." + $0.key) }
        }
    }
}
