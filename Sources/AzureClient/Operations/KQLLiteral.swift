/// Values as literals of the Kusto Query Language. The one place where text becomes part of a query, for Log Analytics
/// and Resource Graph alike: whatever the text holds, the literal means that text and nothing after it.
package enum KQLLiteral {
    /// A string literal in double quotes. Quotes, backslashes and line breaks are escaped, and so is every control
    /// character (Azure docs, "The string data type", read 2026-02).
    package static func string(_ text: String) -> String {
        var literal = "\""
        literal.reserveCapacity(text.utf8.count + 2)
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": literal += "\\\""
            case "\\": literal += "\\\\"
            case "\n": literal += "\\n"
            case "\r": literal += "\\r"
            case "\t": literal += "\\t"
            // Line separators are escaped too, in case a reader takes them for line breaks.
            case _ where scalar.properties.generalCategory == .control, "\u{2028}", "\u{2029}":
                let digits = String(scalar.value, radix: 16)
                literal += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: literal.unicodeScalars.append(scalar)
            }
        }
        return literal + "\""
    }

    /// A list for `in (…)`: `"a","b"`. Empty for no values, which `in` takes.
    package static func list(_ texts: some Sequence<String>) -> String {
        texts.map(string).joined(separator: ",")
    }

    /// The member of a dynamic value, such as a tag: `tags["managed-by"]`.
    package static func member(_ key: String, of column: String) -> String {
        "\(column)[\(string(key))]"
    }
}
