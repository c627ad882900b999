/// Makes text from the wire fit to be printed: bounded, on one line, without characters that steer a terminal.
enum SafeText {
    /// The text with control, line-separating and direction-changing characters written as `\u{…}`, at most `limit`
    /// characters long (and one `…` where it was cut).
    static func escaped(_ text: String, limit: Int) -> String {
        var result = ""
        var count = 0
        for scalar in text.unicodeScalars {
            guard count < limit else { return result + "…" }
            count += 1
            if isUnsafe(scalar) {
                result += "\\u{\(String(scalar.value, radix: 16))}"
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// The text with every occurrence of a secret blanked. Secrets shorter than four characters are left: blanking
    /// them would destroy the text and tell more than it hides. The longest go first, since one that is a part of
    /// another would break that one up and leave the rest of it readable.
    static func blanked(_ text: String, secrets: [Secret]) -> String {
        secrets.map { $0.reveal() }.filter { $0.count >= 4 }.sorted { $0.utf8.count > $1.utf8.count }
            .reduce(text) { $0.replacing($1, with: Secret.redacted) }
    }

    private static func isUnsafe(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate: true
        default: false
        }
    }
}
