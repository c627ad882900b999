/// Which records are meant, by their fields: `metadata.name=web,Ready=True,Failed!=True`, all of which must hold.
///
/// Fields are `metadata.name`, `metadata.uid`, `spec.image`, `status.site.name` and the types of conditions, whose values are True, False and
/// Unknown; a condition that is not there is Unknown.
package struct FieldSelector: Hashable, Sendable {
    enum Field: Hashable, Sendable {
        case name, uid, image, siteName
        case condition(ConditionType)
    }

    struct Requirement: Hashable, Sendable {
        let field: Field
        let value: String
        let isEqual: Bool
    }

    let requirements: [Requirement]

    private static let fields: [(text: String, field: Field)] =
        [("metadata.name", .name), ("metadata.uid", .uid), ("spec.image", .image), ("status.site.name", .siteName)]
        + ConditionType.allCases.map { ($0.rawValue, .condition($0)) }

    package func matches(_ record: FunctionApp) -> Bool {
        requirements.allSatisfy { (FieldSelector.value(of: $0.field, in: record) == $0.value) == $0.isEqual }
    }

    private static func value(of field: Field, in record: FunctionApp) -> String {
        switch field {
        case .name: record.metadata.name.text
        case .uid: record.uid.text
        case .image: record.spec.image.text
        case .siteName: record.status.site?.name ?? ""
        case .condition(let type): (record.status[type]?.status ?? .unknown).rawValue
        }
    }

    /// An empty text selects everything.
    package init(parsing text: String) throws(SelectorFault) {
        var found: [Requirement] = []
        for part in text.split(separator: ",") {
            found.append(try FieldSelector.requirement(part, of: text))
        }
        requirements = found
    }

    private static func requirement(_ part: Substring, of text: String) throws(SelectorFault) -> Requirement {
        func fault(_ what: String) -> SelectorFault {
            SelectorFault(description: "field selector \(quoted(text)): \(what)")
        }
        guard let sign = part.firstIndex(of: "=") else {
            throw fault("\(quoted(String(part))) has no = or !=")
        }
        var name = part[..<sign]
        var value = part[part.index(after: sign)...]
        let isEqual = name.last != "!"
        if !isEqual { name.removeLast() }
        if value.first == "=" { value.removeFirst() }
        let wanted = trimmed(name)
        guard let field = fields.first(where: { $0.text == wanted })?.field else {
            let words = fields.map(\.text)
            let near = Spelling.nearest(to: wanted, in: words).map { "did you mean \($0)? " } ?? ""
            throw fault("no field \(quoted(wanted)); \(near)allowed: \(words.joined(separator: ", "))")
        }
        let text = trimmed(value)
        if case .condition = field, ConditionStatus(rawValue: text) == nil {
            throw fault("\(wanted) is True, False or Unknown, never \(quoted(text))")
        }
        return Requirement(field: field, value: text, isEqual: isEqual)
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text.drop { $0.isWhitespace }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}

/// Both kinds together.
package struct RecordSelector: Hashable, Sendable {
    package let labels: LabelSelector
    package let fields: FieldSelector

    /// Empty texts select everything.
    package init(labels: String, fields: String) throws(SelectorFault) {
        self.labels = try LabelSelector(parsing: labels)
        self.fields = try FieldSelector(parsing: fields)
    }

    package func matches(_ record: FunctionApp) -> Bool {
        labels.matches(record.metadata.labels) && fields.matches(record)
    }

    package var selectsAll: Bool { labels.requirements.isEmpty && fields.requirements.isEmpty }
}
