/// What an error reply says, in whichever of Azure's shapes it comes.
struct ErrorBody: Sendable, Equatable {
    /// The outer code, nil where the body has none.
    var code: String?
    /// Nested codes, the most telling first: extended codes, then the codes of details and inner errors.
    var innerCodes: [String] = []
    /// Empty where the body says nothing.
    var message = ""
    /// An id that stands in the body only, as in Entra's errors.
    var correlationID: String?

    /// All codes, the most telling first.
    var codes: [String] { innerCodes + [code].compactMap(\.self) }

    /// How much of a body is looked at. Most are below 10 kB; a refusal by policies lists all of them.
    static let longestBytes = 1 << 20
    /// How deep details in details are followed; real ones go three deep.
    private static let deepest = 6

    /// Never fails: what is no known shape becomes a message of its first characters.
    init(bytes: some Sequence<UInt8>, headerCode: String? = nil) {
        var content = Array(bytes.prefix(Self.longestBytes))
        if content.starts(with: [0xEF, 0xBB, 0xBF]) { content.removeFirst(3) }
        // A body that is no JSON is no error here: it is read as markup or plain text instead.
        if let value = try? JSONValue(parsing: content), value.object != nil {
            read(value, depth: 0)
        } else {
            read(text: String(decoding: content, as: UTF8.self))
        }
        // The header wins over the body, as in the Azure SDKs (azcore/runtime/errors, read 2026-02).
        if let headerCode, !headerCode.isEmpty { code = headerCode }
    }

    private mutating func read(_ value: JSONValue, depth: Int) {
        guard depth < Self.deepest else { return }
        if let wrapped = value["error"] ?? value["Error"] ?? value["odata.error"], wrapped.object != nil {
            read(wrapped, depth: depth + 1)
        } else if let oauthCode = value["error"]?.string {
            readOAuth(value, code: oauthCode)
        } else if let first = value["errors"]?.array?.first {
            read(first, depth: depth + 1)  // The container registry's shape: {"errors":[{"code","message"}]}.
        } else {
            readFields(value, depth: depth)
        }
    }

    /// `{"error":"invalid_client","error_description":"AADSTS7000215: …","error_codes":[7000215],…}`
    private mutating func readOAuth(_ value: JSONValue, code: String) {
        self.code = code
        message = value["error_description"]?.string ?? value["message"]?.string ?? code
        innerCodes = (value["error_codes"]?.array ?? []).compactMap { $0.integer.map { "AADSTS\($0)" } }
        correlationID = value["correlation_id"]?.string
    }

    /// `{"code","message","details","innererror"}` in camel case (Azure Resource Manager) or Pascal case (App Service).
    private mutating func readFields(_ value: JSONValue, depth: Int) {
        code = Self.text(value["code"] ?? value["Code"])
        message = Self.text(value["message"] ?? value["Message"]) ?? ""
        if message.isEmpty { message = (value["message"] ?? value["Message"])?["value"]?.string ?? "" }
        // A Functions host and Kudu say only here what happened.
        if let cause = value["ExceptionMessage"]?.string, cause != message {
            message = message.isEmpty ? cause : "\(message) \(cause)"
        }
        // A deployment's message can be JSON itself, with the cause in it; where it only looks so, it stays text.
        if message.first == "{", let inner = try? JSONValue(parsing: message.utf8) {
            readNested(inner, depth: depth)
        }
        let nested = [value["innererror"], value["Innererror"], value["innerError"]].compactMap(\.self)
        let details = value["details"]?.array ?? value["Details"]?.array ?? []
        for part in (details + nested).prefix(16) { readNested(part, depth: depth) }
    }

    private mutating func readNested(_ value: JSONValue, depth: Int) {
        if let entity = value["ErrorEntity"] ?? value["errorEntity"] {
            // The extended code is what tells one conflict of App Service from another, so it goes first.
            if let extended = Self.text(entity["ExtendedCode"] ?? entity["extendedCode"]) {
                innerCodes.insert(extended, at: 0)
            }
            if message.isEmpty { message = Self.text(entity["Message"] ?? entity["message"]) ?? "" }
        }
        guard value.object != nil, depth + 1 < Self.deepest else { return }
        var inner = ErrorBody()
        inner.read(value, depth: depth + 1)
        for found in inner.codes where found != code && !innerCodes.contains(found) { innerCodes.append(found) }
        if message.isEmpty { message = inner.message }
    }

    private init() {}

    private static func text(_ value: JSONValue?) -> String? {
        value?.string ?? value?.integer.map(String.init)
    }

    /// XML of the storage services, an HTML page of a front end, or anything else.
    private mutating func read(text: String) {
        let trimmed = text.drop(while: \.isWhitespace)
        guard trimmed.first == "<" else {
            message = String(trimmed.prefix(300))
            return
        }
        if let xmlCode = Self.element("Code", in: trimmed) {
            code = xmlCode
            message = Self.element("Message", in: trimmed) ?? ""
        } else {
            message =
                Self.element("title", in: trimmed) ?? Self.element("h1", in: trimmed) ?? String(trimmed.prefix(300))
        }
    }

    /// The content of the first such element, without attributes and entities resolved: good for error pages only.
    private static func element(_ name: String, in text: Substring) -> String? {
        guard let start = text.firstRange(of: "<\(name)>"),
            let end = text[start.upperBound...].firstRange(of: "</\(name)>")
        else { return nil }
        let content = text[start.upperBound..<end.lowerBound]
        return String(content.prefix(1024)).split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }
}
