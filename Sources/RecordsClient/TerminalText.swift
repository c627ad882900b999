/// Text from a server, made safe for a terminal.
package enum TerminalText {
    /// Replaces control characters, line breaks and marks that change the direction of text by visible escapes, so that no record can move the cursor,
    /// set the title or hide what it says (as in kubectl's CVE-2021-25743).
    package static func escaped(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isHarmful) else { return text }
        return text.unicodeScalars.map { scalar in
            guard isHarmful(scalar) else { return String(scalar) }
            switch scalar {
            case "\n": return "\\n"
            case "\r": return "\\r"
            case "\t": return "\\t"
            default: return "\\u{" + String(scalar.value, radix: 16) + "}"
            }
        }.joined()
    }

    private static func isHarmful(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate: true
        default: false
        }
    }

    /// Columns of the same width, two spaces apart, without spaces at the ends of lines. Values are escaped.
    package static func table(_ rows: [[String]]) -> String {
        var widths: [Int] = []
        return table(rows, widths: &widths)
    }

    /// More lines of a table whose columns are at least as wide as `widths`, which grow with the values.
    static func table(_ rows: [[String]], widths: inout [Int]) -> String {
        let rows = rows.map { $0.map(escaped) }
        for (column, value) in rows.flatMap({ $0.enumerated() }) {
            while widths.count <= column { widths.append(0) }
            widths[column] = max(widths[column], value.count)
        }
        let columns = widths
        return rows.map { row in
            var line = ""
            for (column, value) in row.enumerated() {
                line +=
                    column == row.count - 1
                    ? value : value + String(repeating: " ", count: columns[column] - value.count + 2)
            }
            return line + "\n"
        }.joined()
    }
}
