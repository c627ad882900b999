import Yams

/// Reads the documents of one text through Yams, with all duplicate keys and with aliases expanded under a bound.
///
/// Yams expands aliases while it composes, hashes whole nodes to find duplicate keys (both without a bound), and ends at the first duplicate. So
/// it is given a text in which asterisks, and the first characters of keys that it has seen twice, are replaced by characters that the text does
/// not have; they are put back into the values afterwards, and what was an alias is known by its first character.
struct YAMLReader {
    private let source: String?
    private let lineOffset: Int
    private var scalars: [Unicode.Scalar]
    /// Stands for an asterisk.
    private let aliasMark: Unicode.Scalar
    /// Stand-ins that are in use, and what they stand for.
    private var standIns: [Unicode.Scalar: Unicode.Scalar]
    private var free: [Unicode.Scalar]

    private(set) var documents: [DocumentNode] = []
    private(set) var faults: [ManifestFault] = []

    /// Bound of duplicate keys per document: each costs another pass.
    private static let maximumDuplicates = 30

    init(_ document: ManifestText.Document, source: String?) {
        self.source = source
        lineOffset = document.firstLine - 1
        scalars = Array(document.text.unicodeScalars)
        let present = Set(scalars)
        // Private use, plane 16: printable to YAML, and a million scalars are more than a text of 3 MiB can have.
        free = (0x10_0000...0x10_fffd).lazy.compactMap { Unicode.Scalar($0) }.filter { !present.contains($0) }
            .prefix(YAMLReader.maximumDuplicates + 1).map { $0 }
        aliasMark = free.removeFirst()
        standIns = [aliasMark: "*"]
        for index in scalars.indices where scalars[index] == "*" { scalars[index] = aliasMark }
    }

    /// Reads everything; `documents` and `faults` hold the result.
    mutating func read() {
        while let mark = compose() {
            // A key that is there twice: rename the first of the two, and try again.
            guard let index = renamable(at: mark), let standIn = free.first else {
                note(mark, "a key is given twice; each may be given once")
                return
            }
            free.removeFirst()
            standIns[standIn] = scalars[index]
            scalars[index] = standIn
        }
    }

    /// One pass; returns where the first of two equal keys stands, if there are any.
    private mutating func compose() -> Place? {
        documents = []
        faults = []
        do {
            var text = String.UnicodeScalarView()
            text.append(contentsOf: scalars)
            // Without rules: what a plain scalar means is not Yams' to say here.
            let parser = try Parser(yaml: String(text), resolver: .basic, encoding: .utf8)
            while let root = try parser.nextRoot() {
                var builder = Builder(aliasMark: aliasMark, standIns: standIns, lineOffset: lineOffset)
                // Anchors belong to the parser, and nodes know them weakly.
                let measured = try withExtendedLifetime(parser) { try builder.build(root, isKey: false) }
                documents.append(measured.node)
            }
        } catch let fault as ManifestFault {
            var fault = fault
            fault.source = source
            faults.append(fault)
        } catch YamlError.duplicatedKeysInMapping(_, let context) {
            return Place(context.mark)
        } catch let error as YamlError {
            note(error)
        } catch {
            note(nil, "not YAML: \(error)")
        }
        return nil
    }

    /// The index of the character of a key that can be another one without changing what the text means.
    private func renamable(at mark: Place) -> Int? {
        guard var index = index(of: mark) else { return nil }
        if scalars[index] == "\"" || scalars[index] == "'" { index += 1 }
        guard index < scalars.count else { return nil }
        let unsafe: Set<Unicode.Scalar> = ["\"", "'", "\\", "&", "!", "?", "[", "{", "|", ">", "\n", aliasMark]
        return unsafe.contains(scalars[index]) || standIns[scalars[index]] != nil ? nil : index
    }

    private func index(of mark: Place) -> Int? {
        var (line, column) = (1, 1)
        for (index, scalar) in scalars.enumerated() {
            if (line, column) == (mark.line, mark.column) { return index }
            (line, column) = scalar == "\n" ? (line + 1, 1) : (line, column + 1)
        }
        return nil
    }

    private mutating func note(_ mark: Place?, _ message: String) {
        faults.append(
            ManifestFault(
                source: source, line: mark.map { $0.line + lineOffset }, column: mark?.column, message: message))
    }

    private mutating func note(_ error: YamlError) {
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            let place = Place(mark)
            if hasTab(before: place) {
                note(place, "not YAML: a tab stands where only spaces are allowed; indent with spaces")
            } else if scalars.first == "%" || index(of: place).map({ scalars[$0] }) == "%" {
                note(place, "not YAML: lines that begin with % are not read")
            } else if problem.hasPrefix("Maximum nesting level") {
                note(place, "nested deeper than \(DocumentNode.maximumDepth) levels")
            } else {
                let doing = context.map { $0.text + ", " } ?? ""
                note(place, "not YAML: \(doing)\(problem)")
            }
        default: note(Place(line: 1, column: 1), "not YAML: \(error)")
        }
    }

    /// Whether the line has a tab in front of its first character, or at the mark.
    private func hasTab(before mark: Place) -> Bool {
        guard let start = index(of: Place(line: mark.line, column: 1)) else { return false }
        let line = scalars[start...].prefix { $0 != "\n" }
        return line.prefix { $0 == " " || $0 == "\t" }.contains("\t")
            || (mark.column > 0 && line.dropFirst(mark.column - 1).first == "\t")
    }
}

/// In the text that Yams was given; both from 1.
private struct Place {
    let line: Int
    let column: Int
}

extension Place {
    fileprivate init(_ mark: Mark) {
        self.init(line: mark.line, column: mark.column)
    }
}

/// Turns one document of Yams' nodes into ours.
private struct Builder {
    let aliasMark: Unicode.Scalar
    let standIns: [Unicode.Scalar: Unicode.Scalar]
    let lineOffset: Int
    /// By name; a later anchor takes an earlier one's place.
    private var anchors: [String: Measured] = [:]
    private var depth = 0
    private var nodes = 0

    init(aliasMark: Unicode.Scalar, standIns: [Unicode.Scalar: Unicode.Scalar], lineOffset: Int) {
        self.aliasMark = aliasMark
        self.standIns = standIns
        self.lineOffset = lineOffset
    }

    struct Measured {
        var node: DocumentNode
        var size = 1
        var depth = 1
    }

    mutating func build(_ yaml: Node, isKey: Bool) throws(ManifestFault) -> Measured {
        let line = (yaml.mark?.line ?? 1) + lineOffset
        let column = yaml.mark?.column ?? 1
        var measured = Measured(node: DocumentNode(content: .null, line: line, column: column))
        depth += 1
        defer { depth -= 1 }
        if let alias = alias(yaml) {
            guard let anchored = anchors[alias] else {
                throw ManifestFault(
                    line: line, column: column, message: "there is no anchor &\(alias) above this alias")
            }
            measured.node.content = anchored.node.content
            measured.size = anchored.size
            measured.depth = anchored.depth
            nodes += anchored.size
        } else {
            nodes += 1
            let content = try content(yaml, isKey: isKey, into: &measured)
            measured.node.content = content
            if let anchor = yaml.anchor { anchors[anchor.rawValue] = measured }
        }
        guard nodes <= DocumentNode.maximumNodes else {
            throw ManifestFault(
                line: line, column: column,
                message: "the document has more than \(DocumentNode.maximumNodes) values, aliases expanded")
        }
        guard depth + measured.depth - 1 <= DocumentNode.maximumDepth else {
            throw ManifestFault(
                line: line, column: column, message: "nested deeper than \(DocumentNode.maximumDepth) levels")
        }
        return measured
    }

    private mutating func content(
        _ yaml: Node, isKey: Bool, into measured: inout Measured
    ) throws(ManifestFault) -> DocumentNode.Content {
        switch yaml {
        case .scalar(let scalar): return scalarContent(scalar, isKey: isKey)
        case .sequence(let sequence):
            var items: [DocumentNode] = []
            for item in sequence { items.append(try child(item, isKey: false, of: &measured)) }
            return .sequence(items)
        case .mapping(let mapping):
            var entries: [(key: DocumentNode, value: DocumentNode)] = []
            for (key, value) in mapping {
                let name = try child(key, isKey: true, of: &measured)
                entries.append((name, try child(value, isKey: false, of: &measured)))
            }
            return .mapping(entries)
        case .alias:
            // Aliases do not reach Yams.
            return .null
        }
    }

    private mutating func child(
        _ yaml: Node, isKey: Bool, of parent: inout Measured
    ) throws(ManifestFault) -> DocumentNode {
        let measured = try build(yaml, isKey: isKey)
        parent.size += measured.size
        parent.depth = max(parent.depth, measured.depth + 1)
        return measured.node
    }

    private func alias(_ yaml: Node) -> String? {
        guard case .scalar(let scalar) = yaml, scalar.style == .plain, scalar.string.unicodeScalars.first == aliasMark
        else { return nil }
        return restored(String(scalar.string.unicodeScalars.dropFirst()))
    }

    private func restored(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { standIns[$0] != nil }) else { return text }
        var view = String.UnicodeScalarView()
        for scalar in text.unicodeScalars { view.append(standIns[scalar] ?? scalar) }
        return String(view)
    }

    /// Yams gives keys a tag of their own while it compares them, so a key's tag says nothing.
    private func scalarContent(_ scalar: Node.Scalar, isKey: Bool) -> DocumentNode.Content {
        let text = restored(scalar.string)
        guard scalar.style == .plain || !isKey else { return .string(text) }
        guard !isKey else { return DocumentNode.Content(plain: text) }
        switch scalar.tag.description {
        case "": return DocumentNode.Content(plain: text)
        case "!", "tag:yaml.org,2002:str": return .string(text)
        case "tag:yaml.org,2002:int", "tag:yaml.org,2002:bool", "tag:yaml.org,2002:null":
            return DocumentNode.Content(plain: text)
        case let tag:
            return .other(
                text, name: "a value with the tag \(tag.replacing("tag:yaml.org,2002:", with: "!!"))")
        }
    }
}
