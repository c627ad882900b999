/// The bytes of one file as text, taken apart into YAML's documents, or what is wrong with them.
///
/// Documents are read one by one, so that a syntax error in one hides no fault of the others. A line that begins with `---` separates documents
/// wherever it stands (YAML 1.2.2, section 9.1.2 and rule c-forbidden), so no parser is needed to find them.
struct ManifestText {
    struct Document {
        let text: String
        /// Of its first line in the file, from 1.
        let firstLine: Int
    }

    let text: String

    /// Throws the first fault: too large, not UTF-8, or a character that no manifest may have.
    init(_ bytes: some Collection<UInt8>, source: String?) throws(ManifestFault) {
        guard bytes.count <= Manifest.maximumBytes else {
            throw ManifestFault(
                source: source, message: "is \(bytes.count) bytes long; at most \(Manifest.maximumBytes) are allowed")
        }
        var bytes = Array(bytes)
        // A byte order mark, as editors on Windows write it.
        if bytes.starts(with: [0xef, 0xbb, 0xbf]) { bytes.removeFirst(3) }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw ManifestText.encodingFault(bytes, source: source)
        }
        self.text = text
        var (line, column) = (1, 1)
        for scalar in text.unicodeScalars {
            let isControl = scalar.value < 0x20 && ![0x9, 0xa, 0xd].contains(scalar.value) || scalar.value == 0x7f
            // What YAML 1.2.2 calls printable (section 5.1), as its parser would refuse it without saying where.
            if isControl || (0x80..<0xa0).contains(scalar.value) && scalar.value != 0x85
                || [0xfffe, 0xffff, 0xfeff].contains(scalar.value)
            {
                let code = String(scalar.value, radix: 16, uppercase: true)
                let digits = String(repeating: "0", count: max(0, 4 - code.count)) + code
                throw ManifestFault(
                    source: source, line: line, column: column,
                    message: "the character U+\(digits) is not allowed; write it as an escape in double quotes")
            }
            (line, column) = scalar == "\n" ? (line + 1, 1) : (line, column + 1)
        }
    }

    /// Empty ones are left in: whoever reads them finds nothing.
    var documents: [Document] {
        var documents: [Document] = []
        var firstLine = 1
        var lines: [Substring.UTF8View] = []
        func close() {
            let bytes = lines.joined(separator: [UInt8(ascii: "\n")])
            documents.append(Document(text: String(decoding: Array(bytes), as: UTF8.self), firstLine: firstLine))
        }
        for (index, line) in text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            .enumerated()
        {
            let isMarker = line.starts(with: "---".utf8) && [nil, 0x20, 0x9, 0xd].contains(line.dropFirst(3).first)
            if isMarker, !lines.isEmpty {
                close()
                lines = []
                firstLine = index + 1
            }
            lines.append(line)
        }
        close()
        return documents
    }

    /// The place of the first byte that belongs to no character.
    private static func encodingFault(_ bytes: [UInt8], source: String?) -> ManifestFault {
        var (line, column, position) = (1, 1, 0)
        var decoder = UTF8()
        var iterator = bytes.makeIterator()
        decoding: while true {
            switch decoder.decode(&iterator) {
            case .scalarValue(let scalar):
                position += scalar.utf8.count
                (line, column) = scalar == "\n" ? (line + 1, 1) : (line, column + 1)
            case .emptyInput, .error: break decoding
            }
        }
        let byte = position < bytes.count ? String(bytes[position], radix: 16, uppercase: true) : ""
        return ManifestFault(
            source: source, line: line, column: column,
            message: "not UTF-8: the byte 0x\(byte) begins no character; manifests are UTF-8")
    }
}
