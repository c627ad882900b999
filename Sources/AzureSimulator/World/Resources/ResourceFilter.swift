/// The `$filter` of lists of groups and resources: comparisons joined by `and` and `or`, of which `and` binds more
/// tightly (Azure REST docs, "Resources - List", read 2026-02).
struct ResourceFilter {
    private enum Field: String {
        case resourcetype, name, location, resourcegroup, tagname, tagvalue

        var isTag: Bool { self == .tagname || self == .tagvalue }
    }

    private enum Test {
        case equals(Field, String)
        case differs(Field, String)
        case contains(Field, String)
        case begins(Field, String)

        var field: Field {
            switch self {
            case .equals(let field, _), .differs(let field, _), .contains(let field, _), .begins(let field, _): field
            }
        }
    }

    private let text: String
    /// Of which one has to hold, each all of its tests. Nothing at all accepts everything.
    private var alternatives: [[Test]] = []

    /// A filter that cannot be read is refused, and so is one about tags that is about something else too: not even the
    /// group can stand beside a tag (Azure/azure-cli issue 7674, Azure/azure-rest-api-specs issue 21324).
    init(_ text: String?) throws(RefusedRequest) {
        self.text = text ?? ""
        guard let text, !text.allSatisfy(\.isWhitespace) else { return }
        guard let alternatives = Self.parse(text) else { throw refused }
        self.alternatives = alternatives
        let tests = alternatives.flatMap(\.self)
        guard !tests.contains(where: \.field.isTag) || alternatives.count == 1 && isAboutTagsOnly else {
            throw refused
        }
    }

    var refused: RefusedRequest {
        RefusedRequest(
            400, "InvalidFilterInQueryString", "Invalid $filter '\(text)' specified in the query string.")
    }

    /// True without a filter.
    var isAboutTagsOnly: Bool { alternatives.joined().allSatisfy(\.field.isTag) }
    var isAboutTags: Bool { alternatives.joined().contains(where: \.field.isTag) }

    func accepts(_ resource: TrackedResource) -> Bool {
        alternatives.isEmpty
            || alternatives.contains { tests in
                tests.allSatisfy { test in
                    test.field.isTag
                        || Self.holds(test) {
                            switch $0 {
                            case .resourcetype: resource.type
                            case .name: resource.name
                            case .location: resource.location
                            case .resourcegroup: resource.group
                            case .tagname, .tagvalue: ""
                            }
                        }
                } && Self.accepts(tests.filter(\.field.isTag), tags: resource.tags)
            }
    }

    func accepts(tags: [JSON.Member]) -> Bool {
        alternatives.isEmpty || alternatives.contains { Self.accepts($0, tags: tags) }
    }

    /// One tag has to meet all tests.
    private static func accepts(_ tests: [Test], tags: [JSON.Member]) -> Bool {
        tests.isEmpty
            || tags.contains { tag in
                tests.allSatisfy { holds($0) { $0 == .tagname ? tag.name : tag.value.string ?? "" } }
            }
    }

    private static func holds(_ test: Test, _ value: (Field) -> String) -> Bool {
        switch test {
        case .equals(let field, let text): value(field).lowercased() == text.lowercased()
        case .differs(let field, let text): value(field).lowercased() != text.lowercased()
        case .contains(let field, let text): value(field).lowercased().contains(text.lowercased())
        case .begins(let field, let text): value(field).lowercased().hasPrefix(text.lowercased())
        }
    }

    // MARK: Reading

    private enum Token: Equatable {
        case word(String)
        case literal(String)
        case mark(Character)
    }

    private static func parse(_ text: String) -> [[Test]]? {
        guard var tokens = tokens(of: text)?[...] else { return nil }
        var alternatives: [[Test]] = []
        repeat {
            var tests: [Test] = []
            repeat {
                guard let test = test(&tokens) else { return nil }
                tests.append(test)
            } while skip("and", &tokens)
            alternatives.append(tests)
        } while skip("or", &tokens)
        return tokens.isEmpty ? alternatives : nil
    }

    private static func skip(_ word: String, _ tokens: inout ArraySlice<Token>) -> Bool {
        guard tokens.first == .word(word) else { return false }
        tokens.removeFirst()
        return true
    }

    private static func test(_ tokens: inout ArraySlice<Token>) -> Test? {
        guard case .word(let word) = tokens.popFirst() else { return nil }
        if tokens.first == .mark("(") {
            let parts = Array(tokens.prefix(5))
            guard parts.count == 5, parts[2] == .mark(","), parts[4] == .mark(")") else { return nil }
            tokens = tokens.dropFirst(5)
            switch (word, parts[1], parts[3]) {
            case ("substringof", .literal(let text), .word(let name)):
                return Field(rawValue: name).map { .contains($0, text) }
            case ("startswith", .word(let name), .literal(let text)):
                return Field(rawValue: name).map { .begins($0, text) }
            default: return nil
            }
        }
        guard case .word(let comparison) = tokens.popFirst(), case .literal(let text) = tokens.popFirst(),
            let field = Field(rawValue: word)
        else { return nil }
        return switch comparison {
        case "eq": .equals(field, text)
        case "ne": .differs(field, text)
        default: nil
        }
    }

    /// A quote in a literal is doubled. Nil if the literal does not end.
    private static func literal(_ rest: inout Substring) -> String? {
        rest.removeFirst()
        var literal = ""
        while let next = rest.popFirst() {
            if next == "'" {
                guard rest.first == "'" else { return literal }
                rest.removeFirst()
            }
            literal.append(next)
        }
        return nil
    }

    /// Words are in lower case.
    private static func tokens(of text: String) -> [Token]? {
        var tokens: [Token] = []
        var rest = text[...]
        while let character = rest.first {
            switch character {
            case "'":
                guard let literal = literal(&rest) else { return nil }
                tokens.append(.literal(literal))
            case "(", ")", ",":
                tokens.append(.mark(character))
                rest.removeFirst()
            case _ where character.isWhitespace: rest.removeFirst()
            default:
                let word = rest.prefix { $0.isLetter || $0.isNumber || $0 == "/" || $0 == "_" }
                guard !word.isEmpty else { return nil }
                tokens.append(.word(word.lowercased()))
                rest = rest.dropFirst(word.count)
            }
        }
        return tokens
    }
}
