/// Which records are meant, by their labels; kubectl's grammar: `a=b,c!=d,e in (x,y),f notin (z),g,!h`, all of which must hold.
///
/// A record without the label passes `!=` and `notin`, as in Kubernetes (`apimachinery/pkg/labels`, read 2026-11).
package struct LabelSelector: Hashable, Sendable {
    enum Requirement: Hashable, Sendable {
        case isOneOf(String, Set<String>)
        case isNoneOf(String, Set<String>)
        case exists(String)
        case isAbsent(String)
    }

    let requirements: [Requirement]

    package func matches(_ labels: [String: String]) -> Bool {
        requirements.allSatisfy { requirement in
            switch requirement {
            case .isOneOf(let key, let values): labels[key].map(values.contains) ?? false
            case .isNoneOf(let key, let values): labels[key].map { !values.contains($0) } ?? true
            case .exists(let key): labels[key] != nil
            case .isAbsent(let key): labels[key] == nil
            }
        }
    }

    /// An empty text selects everything.
    package init(parsing text: String) throws(SelectorFault) {
        var parser = Parser(text: text)
        requirements = try parser.requirements()
    }
}

/// What is wrong with a selector; prints as one sentence.
package struct SelectorFault: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String
}

extension LabelSelector {
    fileprivate struct Parser {
        private let text: String
        private var rest: Substring

        init(text: String) {
            self.text = text
            rest = text[...]
        }

        mutating func requirements() throws(SelectorFault) -> [Requirement] {
            var found: [Requirement] = []
            skipSpace()
            guard !rest.isEmpty else { return [] }
            while true {
                found.append(try requirement())
                skipSpace()
                if rest.isEmpty { return found }
                guard take(",") else { throw fault("a comma should stand before") }
            }
        }

        private mutating func requirement() throws(SelectorFault) -> Requirement {
            skipSpace()
            if take("!") { return .isAbsent(try key()) }
            let key = try key()
            skipSpace()
            if take("!=") { return .isNoneOf(key, [value()]) }
            if take("==") || take("=") { return .isOneOf(key, [value()]) }
            if takeWord("in") { return .isOneOf(key, try values()) }
            if takeWord("notin") { return .isNoneOf(key, try values()) }
            if rest.isEmpty || rest.first == "," { return .exists(key) }
            throw fault("=, ==, !=, in (…) or notin (…) should stand before")
        }

        private mutating func key() throws(SelectorFault) -> String {
            skipSpace()
            let word = word()
            guard !word.isEmpty else { throw fault("the name of a label should stand before") }
            return word
        }

        /// May be empty.
        private mutating func value() -> String {
            skipSpace()
            return word()
        }

        private mutating func values() throws(SelectorFault) -> Set<String> {
            skipSpace()
            guard take("(") else { throw fault("( should stand before") }
            var values: Set<String> = []
            while true {
                values.insert(value())
                skipSpace()
                if take(")") { return values }
                guard take(",") else { throw fault("a comma or ) should stand before") }
            }
        }

        /// Labels are free text in Docker, so everything counts but what the grammar needs.
        private mutating func word() -> String {
            let word = rest.prefix { !$0.isWhitespace && !"=!,()".contains($0) }
            rest = rest.dropFirst(word.count)
            return String(word)
        }

        private mutating func takeWord(_ word: String) -> Bool {
            guard rest.hasPrefix(word), rest.dropFirst(word.count).first.map({ $0.isWhitespace || $0 == "(" }) ?? true
            else { return false }
            rest = rest.dropFirst(word.count)
            return true
        }

        private mutating func take(_ mark: String) -> Bool {
            guard rest.hasPrefix(mark) else { return false }
            rest = rest.dropFirst(mark.count)
            return true
        }

        private mutating func skipSpace() {
            rest = rest.drop { $0.isWhitespace }
        }

        private func fault(_ what: String) -> SelectorFault {
            let place = rest.isEmpty ? "its end" : quoted(String(rest))
            return SelectorFault(description: "label selector \(quoted(text)): \(what) \(place)")
        }
    }
}
