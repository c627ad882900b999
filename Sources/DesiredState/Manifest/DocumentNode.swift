import Foundation
import Yams

/// A parsed YAML or JSON value with the place where it stands, so that one decoder serves manifests and API bodies and can say where a fault is.
struct DocumentNode {
    enum Content {
        case null
        case bool(Bool)
        case int(Int)
        case string(String)
        /// A scalar of another type (a float, a date), as written.
        case other(String)
        case sequence([DocumentNode])
        case mapping([(key: DocumentNode, value: DocumentNode)])
    }

    let content: Content
    /// From 1; `nil` for JSON.
    let line: Int?
    let column: Int?

    /// What the user would call it.
    var kindText: String {
        switch content {
        case .null: "nothing"
        case .bool(let value): "the boolean \(value)"
        case .int(let value): "the number \(value)"
        case .string: "a string"
        case .other(let text): "the value \(text)"
        case .sequence: "a list"
        case .mapping: "a mapping"
        }
    }
}

extension DocumentNode {
    /// Bound of nodes in one document after aliases are expanded (an alias bomb grows tenfold with each level).
    static let maximumNodes = 100_000

    init(yaml node: Node, budget: inout Int) throws(ManifestFault) {
        let mark = node.mark
        line = mark?.line
        column = mark?.column
        budget -= 1
        guard budget >= 0 else {
            throw ManifestFault(
                line: line, column: column, message: "the document has more than \(DocumentNode.maximumNodes) values")
        }
        switch node {
        case .scalar(let scalar): content = DocumentNode.content(of: node, scalar: scalar)
        case .sequence(let sequence):
            var items: [DocumentNode] = []
            for item in sequence { items.append(try DocumentNode(yaml: item, budget: &budget)) }
            content = .sequence(items)
        case .mapping(let mapping):
            var entries: [(key: DocumentNode, value: DocumentNode)] = []
            for (key, value) in mapping {
                entries.append(
                    (try DocumentNode(yaml: key, budget: &budget), try DocumentNode(yaml: value, budget: &budget)))
            }
            content = .mapping(entries)
        case .alias(let alias):
            throw ManifestFault(line: line, column: column, message: "unknown alias \(alias.anchor)")
        }
    }

    private static func content(of node: Node, scalar: Node.Scalar) -> Content {
        switch Resolver.default.resolveTag(of: node) {
        case .null: .null
        case .bool: node.bool.map(Content.bool) ?? .other(scalar.string)
        case .int: node.int.map(Content.int) ?? .other(scalar.string)
        case .str: .string(scalar.string)
        default: .other(scalar.string)
        }
    }

    init(json: JSONTree) {
        line = nil
        column = nil
        content =
            switch json {
            case .null: .null
            case .bool(let value): .bool(value)
            case .int(let value): .int(value)
            case .double(let value): .other(String(value))
            case .string(let value): .string(value)
            case .array(let items): .sequence(items.map { DocumentNode(json: $0) })
            case .object(let members):
                .mapping(
                    members.sorted { $0.key < $1.key }.map { key, value in
                        (DocumentNode(content: .string(key), line: nil, column: nil), DocumentNode(json: value))
                    })
            }
    }
}

/// Any JSON value.
indirect enum JSONTree: Decodable {
    case null, bool(Bool), int(Int), double(Double), string(String)
    case array([JSONTree]), object([String: JSONTree])

    init(from decoder: any Decoder) throws {
        // `try?` loses nothing: each failure means "another type", and the last one throws.
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Int.self) {
            self = .int(value)
        } else if let value = try? container.decode(Double.self) {
            self = .double(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode([JSONTree].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: JSONTree].self))
        }
    }
}
