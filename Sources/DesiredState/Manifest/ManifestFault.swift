/// One thing wrong with a manifest. Prints as `file:line:column: field: what is wrong, and what is allowed`.
package struct ManifestFault: Error, Hashable, Sendable, CustomStringConvertible {
    /// File name, or `nil` for a request's body.
    package var source: String?
    /// From 1, of the whole file.
    package var line: Int?
    /// From 1, in Unicode scalars.
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

/// All that is wrong, in the order of the files and of their texts.
package struct ManifestFaults: Error, Hashable, Sendable, CustomStringConvertible {
    package let faults: [ManifestFault]

    package init(faults: [ManifestFault]) {
        self.faults = faults
    }

    package var description: String { faults.map(\.description).joined(separator: "\n") }

    /// Bound of faults that are told of one file: nobody reads more, and a hostile file could have millions.
    static let maximumPerSource = 100

    /// In the order of the text; those that have no place come first.
    static func ordered(_ faults: [ManifestFault], source: String?) -> [ManifestFault] {
        var seen: Set<ManifestFault> = []
        // Sorting by the index last keeps the order of faults at one place.
        var ordered = faults.filter { seen.insert($0).inserted }.enumerated().sorted { left, right in
            let (first, second) = (left.element, right.element)
            return (first.line ?? 0, first.column ?? 0, left.offset)
                < (second.line ?? 0, second.column ?? 0, right.offset)
        }.map(\.element)
        if ordered.count > maximumPerSource {
            let more = ordered.count - maximumPerSource
            ordered.removeLast(more)
            ordered.append(ManifestFault(source: source, message: "and \(more) more faults"))
        }
        return ordered
    }
}
