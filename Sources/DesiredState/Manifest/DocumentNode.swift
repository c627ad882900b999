/// A parsed YAML or JSON value with the place where it stands, so that one decoder serves manifests and API bodies and can say where a fault is.
struct DocumentNode {
    enum Content {
        case null
        case bool(Bool)
        case int(Int)
        case string(String)
        /// A scalar that is none of these, or that programs read in different ways: as written, and what to call it.
        case other(String, name: String)
        case sequence([DocumentNode])
        /// In the order of the text; keys may be there twice.
        case mapping([(key: DocumentNode, value: DocumentNode)])
    }

    var content: Content
    /// From 1.
    var line: Int
    /// From 1, in Unicode scalars.
    var column: Int

    /// Bound of values in one document after aliases are expanded (an alias bomb grows tenfold with each level).
    static let maximumNodes = 100_000
    /// Bound of nesting, also through aliases: a manifest has seven levels, and what is deeper would use up the stack.
    static let maximumDepth = 100

    /// What the user would call it.
    var kindText: String {
        switch content {
        case .null: "nothing"
        case .bool(let value): "the boolean \(value)"
        case .int(let value): "the number \(value)"
        case .string(let text): "the string " + quoted(text)
        case .other(_, let name): name
        case .sequence: "a list"
        case .mapping: "a mapping"
        }
    }

    var isNull: Bool {
        if case .null = content { return true }
        return false
    }
}

/// A user's own text inside a message: on one line, in quotes, and not too long.
func quoted(_ text: String) -> String {
    let shown = text.unicodeScalars.prefix(60).map { scalar in
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: scalar.escaped(asASCII: true)
        default: String(scalar)
        }
    }.joined()
    return "\"" + shown + (text.unicodeScalars.count > 60 ? "…" : "") + "\""
}

extension DocumentNode.Content {
    /// YAML's merge key, which no manifest may have.
    static let mergeKey = "<<"

    /// What a plain YAML scalar is: by YAML 1.2's core schema where other programs agree, and otherwise a value that fits nowhere
    /// without quotes.
    init(plain text: String) {
        switch text {
        case "", "~", "null", "Null", "NULL": self = .null
        case "true", "True", "TRUE": self = .bool(true)
        case "false", "False", "FALSE": self = .bool(false)
        case DocumentNode.Content.mergeKey: self = .other(text, name: "the merge key <<")
        default:
            if ["yes", "no", "on", "off"].contains(text.lowercased()) {
                self = .other(text, name: "the word \(text), which is a boolean to YAML 1.1")
            } else {
                self = DocumentNode.Content(number: text)
            }
        }
    }

    private init(number text: String) {
        guard let first = text.utf8.first, "+-.0123456789".utf8.contains(first) else {
            self = .string(text)
            return
        }
        let digits = text.drop { $0 == "-" || $0 == "+" }
        if !digits.isEmpty, text.count - digits.count <= 1, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
            if digits.hasPrefix("0"), digits != "0" {
                self = .other(text, name: "the number \(text), which is octal to YAML 1.1")
            } else if let value = Int(text) {
                self = .int(value)
            } else {
                self = .other(text, name: "the number \(text)")
            }
        } else if text.wholeMatch(
            of: /[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)/)
            != nil || text.wholeMatch(of: /[-+]?0(x[0-9a-fA-F]+|o[0-7]+|b[01]+)/) != nil
        {
            self = .other(text, name: "the number \(text)")
        } else if text.wholeMatch(of: /[-+]?[0-9][0-9_]*_[0-9_]*(\.[0-9_]*)?/) != nil {
            self = .other(text, name: "the value \(text), which is a number to YAML 1.1")
        } else if text.wholeMatch(of: /[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?/) != nil {
            self = .other(text, name: "the value \(text), which is a number in base 60 to YAML 1.1")
        } else if text.wholeMatch(of: /[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt \t].*)?/) != nil {
            self = .other(text, name: "the date \(text)")
        } else {
            self = .string(text)
        }
    }
}
