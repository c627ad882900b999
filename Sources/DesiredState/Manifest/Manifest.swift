package import Foundation

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

/// A text that holds manifests.
package struct ManifestSource: Sendable {
    /// Stands in front of its faults; `nil` for a request's body.
    package let name: String?
    package let bytes: [UInt8]
    package let isJSON: Bool

    package init(name: String?, bytes: [UInt8], isJSON: Bool = false) {
        self.name = name
        self.bytes = bytes
        self.isJSON = isJSON
    }
}

extension Manifest {
    /// Bound of one file or body, in bytes (the Kubernetes API server's is 3 MiB, too).
    package static let maximumBytes = 3 << 20

    /// Reads all texts, which are meant to be applied together: no name may stand in them twice. Empty documents are passed over; a list of
    /// records counts as its records. Throws every fault of every text.
    package static func parse(_ sources: [ManifestSource]) throws(ManifestFaults) -> [Manifest] {
        var faults: [ManifestFault] = []
        var manifests: [Manifest] = []
        var names: [RecordName: DeclaredName] = [:]
        for source in sources {
            var decoder = ManifestDecoder(source: source.name)
            do throws(ManifestFault) {
                manifests += decoder.manifests(in: try documents(of: source, decoder: &decoder))
            } catch {
                decoder.note(error)
            }
            for name in decoder.names {
                if let first = names[name.name] {
                    decoder.note(name.repeating(first, in: source.name))
                } else {
                    names[name.name] = name
                }
            }
            faults += ManifestFaults.ordered(decoder.faults, source: source.name)
        }
        guard faults.isEmpty else { throw ManifestFaults(faults: faults) }
        return manifests
    }

    /// Reads a YAML text of one or more documents (`---`). Throws every fault.
    package static func parse(yaml text: String, source: String? = nil) throws(ManifestFaults) -> [Manifest] {
        try parse([ManifestSource(name: source, bytes: Array(text.utf8))])
    }

    /// Reads one record from a JSON body. Throws every fault.
    package static func parse(json data: Data) throws(ManifestFaults) -> Manifest {
        try one(of: ManifestSource(name: nil, bytes: Array(data), isJSON: true))
    }

    /// Reads a body that must hold exactly one record. Throws every fault.
    package static func one(of source: ManifestSource) throws(ManifestFaults) -> Manifest {
        let manifests = try parse([source])
        guard let manifest = manifests.first, manifests.count == 1 else {
            throw ManifestFaults(faults: [
                ManifestFault(
                    source: source.name, message: "holds \(manifests.count) records; exactly one is allowed here")
            ])
        }
        return manifest
    }

    private static func documents(
        of source: ManifestSource, decoder: inout ManifestDecoder
    ) throws(ManifestFault) -> [DocumentNode] {
        let text = try ManifestText(source.bytes, source: source.name)
        if source.isJSON { return [try JSONReader.read(text, source: source.name)] }
        var documents: [DocumentNode] = []
        for document in text.documents {
            var reader = YAMLReader(document, source: source.name)
            reader.read()
            documents += reader.documents
            for fault in reader.faults { decoder.note(fault) }
        }
        return documents
    }
}

/// Where a record's name stands.
struct DeclaredName {
    let name: RecordName
    let field: String
    let source: String?
    let line: Int
    let column: Int

    func repeating(_ first: DeclaredName, in source: String?) -> ManifestFault {
        let place = (first.source == source ? "" : (first.source ?? "") + ":") + "\(first.line):\(first.column)"
        return ManifestFault(
            source: source, line: line, column: column, field: field,
            message: "\(name) is declared already, at \(place); each name may be declared once in an apply")
    }
}
