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
        let rows = rows.map { $0.map(escaped) }
        let columns = rows.map(\.count).max() ?? 0
        let widths = (0..<columns).map { column in rows.compactMap { column < $0.count ? $0[column].count : nil }.max() ?? 0 }
        return rows.map { row in
            var line = ""
            for (column, value) in row.enumerated() {
                line += column == row.count - 1 ? value : value + String(repeating: " ", count: widths[column] - value.count + 2)
            }
            return line + "\n"
        }.joined()
    }
}
