// How strings are searched (Azure docs, "String operators", read 2026-02). Without `_cs` and but for `==`, `!=` and
// `in`, case does not count.

extension KQL {
    /// Whether the operator called `name` (without `!`) holds between two strings; nil if there is none of that name.
    static func matches(_ name: String, _ text: String, _ part: String) -> Bool? {
        let isExact = name.hasSuffix("_cs")
        let kind = isExact ? String(name.dropLast(3)) : name
        let text = Array((isExact ? text : text.lowercased()).utf8)
        let part = Array((isExact ? part : part.lowercased()).utf8)
        switch kind {
        case "contains": return firstMatch(of: part, in: text) { _ in true }
        case "startswith": return text.starts(with: part)
        case "endswith": return text.count >= part.count && text.suffix(part.count).elementsEqual(part)
        case "has": return firstMatch(of: part, in: text) { begins(text, $0, part) && ends(text, $0, part) }
        case "hasprefix": return firstMatch(of: part, in: text) { begins(text, $0, part) }
        case "hassuffix": return firstMatch(of: part, in: text) { ends(text, $0, part) }
        default: return nil
        }
    }

    private static func firstMatch(of part: [UInt8], in text: [UInt8], where isWanted: (Int) -> Bool) -> Bool {
        guard let first = part.first else { return true }
        guard part.count <= text.count else { return false }
        for start in 0...(text.count - part.count)
        where text[start] == first && text[start..<(start + part.count)].elementsEqual(part) && isWanted(start) {
            return true
        }
        return false
    }

    /// A term is as many letters and digits as stand together; what is no ASCII counts as a letter.
    private static func isPartOfTerm(_ byte: UInt8) -> Bool {
        byte >= 0x80 || (byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9"))
            || (byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z"))
    }

    private static func begins(_ text: [UInt8], _ start: Int, _ part: [UInt8]) -> Bool {
        start == 0 || !isPartOfTerm(text[start]) || !isPartOfTerm(text[start - 1])
    }

    private static func ends(_ text: [UInt8], _ start: Int, _ part: [UInt8]) -> Bool {
        let end = start + part.count
        return end == text.count || !isPartOfTerm(text[end - 1]) || !isPartOfTerm(text[end])
    }

    static func isEqual(_ left: String, _ right: String, ignoringCase: Bool) -> Bool {
        left.utf8.elementsEqual(right.utf8)
            || ignoringCase && left.lowercased().utf8.elementsEqual(right.lowercased().utf8)
    }

    /// A string of at most the length that Kusto keeps.
    static func bounded(_ text: String) -> String {
        text.utf8.count <= longestStringBytes
            ? text : String(decoding: text.utf8.prefix(longestStringBytes), as: UTF8.self)
    }
}
