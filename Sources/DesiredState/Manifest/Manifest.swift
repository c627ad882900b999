package import Foundation
import Yams

/// What a user declares: a record without its server-side parts.
package struct Manifest: Hashable, Sendable {
    package var name: RecordName
    package var labels: [String: String]
    package var annotations: [String: String]
    package var spec: FunctionAppSpec
    /// When given, the record must still be at this revision.
    package var resourceVersion: Revision?

    package init(
        name: RecordName, labels: [String: String] = [:], annotations: [String: String] = [:], spec: FunctionAppSpec,
        resourceVersion: Revision? = nil
    ) {
        self.name = name
        self.labels = labels
        self.annotations = annotations
        self.spec = spec
        self.resourceVersion = resourceVersion
    }
}

/// One thing wrong with a manifest. Prints as `file:line:column: field: what is wrong`.
package struct ManifestFault: Error, Hashable, Sendable, CustomStringConvertible {
    /// File name, or `nil` for a request's body.
    package var source: String?
    /// From 1.
    package var line: Int?
    package var column: Int?
    /// Dotted path of the field, such as `spec.env[2].name`; empty for the document.
    package var field: String
    package var message: String

    package init(source: String? = nil, line: Int? = nil, column: Int? = nil, field: String = "", message: String) {
        self.source = source
        self.line = line
        self.column = column
        self.field = field
        self.message = message
    }

    package var description: String {
        var place = source.map { $0 + ":" } ?? ""
        if let line { place += "\(line):\(column ?? 1):" }
        return [place, field.isEmpty ? "" : field + ":", message].filter { !$0.isEmpty }.joined(separator: " ")
    }
}

/// All that is wrong, in the order of the text.
package struct ManifestFaults: Error, Hashable, Sendable, CustomStringConvertible {
    package let faults: [ManifestFault]
    package var description: String { faults.map(\.description).joined(separator: "\n") }
}

extension Manifest {
    /// Bound of one file or body, in bytes (the Kubernetes API server's is 3 MiB, too).
    package static let maximumBytes = 3 << 20

    /// Reads a YAML text of one or more documents (`---`); empty documents are skipped. Throws every fault that it finds.
    package static func parse(yaml text: String, source: String? = nil) throws(ManifestFaults) -> [Manifest] {
        guard text.utf8.count <= maximumBytes else {
            throw ManifestFaults(faults: [ManifestFault(source: source, message: "larger than \(maximumBytes) bytes")])
        }
        var faults: [ManifestFault] = []
        var manifests: [Manifest] = []
        for node in composed(text, source: source, faults: &faults) {
            var budget = DocumentNode.maximumNodes
            do throws(ManifestFault) {
                let document = try DocumentNode(yaml: node, budget: &budget)
                if case .null = document.content { continue }
                var decoder = ManifestDecoder(source: source)
                let manifest = decoder.manifest(document)
                faults += decoder.faults
                if let manifest, decoder.faults.isEmpty { manifests.append(manifest) }
            } catch {
                var fault = error
                fault.source = source
                faults.append(fault)
            }
        }
        let repeated = Dictionary(grouping: manifests, by: \.name).filter { $0.value.count > 1 }.keys.sorted()
        faults += repeated.map {
            ManifestFault(source: source, field: "metadata.name", message: "\($0) is declared twice")
        }
        guard faults.isEmpty else { throw ManifestFaults(faults: faults) }
        return manifests
    }

    /// Reads one record from a JSON body.
    package static func parse(json data: Data) throws(ManifestFaults) -> Manifest {
        let tree: JSONTree
        do {
            tree = try JSONDecoder().decode(JSONTree.self, from: data)
        } catch {
            throw ManifestFaults(faults: [ManifestFault(message: "the body is not JSON")])
        }
        var decoder = ManifestDecoder(source: nil)
        guard let manifest = decoder.manifest(DocumentNode(json: tree)), decoder.faults.isEmpty else {
            throw ManifestFaults(faults: decoder.faults)
        }
        return manifest
    }

    /// The documents up to the first one that is not YAML.
    private static func composed(_ text: String, source: String?, faults: inout [ManifestFault]) -> [Node] {
        var nodes: [Node] = []
        do {
            let parser = try Parser(yaml: text)
            while let node = try parser.nextRoot() { nodes.append(node) }
        } catch let error as YamlError {
            faults.append(ManifestFault(yamlError: error, source: source))
        } catch {
            faults.append(ManifestFault(source: source, message: "not YAML: \(error)"))
        }
        return nodes
    }
}

extension ManifestFault {
    fileprivate init(yamlError: YamlError, source: String?) {
        switch yamlError {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            self.init(source: source, line: mark.line, column: mark.column, message: "not YAML: \(problem)")
        case .duplicatedKeysInMapping(let duplicates, let context):
            let keys = duplicates.map { "\($0)" }.sorted().joined(separator: ", ")
            self.init(
                source: source, line: context.mark.line, column: context.mark.column,
                message: "key given twice: \(keys)")
        default:
            self.init(source: source, message: "not YAML: \(yamlError)")
        }
    }
}
