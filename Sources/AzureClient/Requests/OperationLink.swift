/// A URL that Azure gave for following an operation. It may carry a signature, so its query is kept to the byte, sent
/// only to the host it was checked for, and never printed.
package struct OperationLink: Sendable, Hashable {
    /// The whole URL, for the one place that sends it.
    let text: String

    init(_ text: String) {
        self.text = text
    }

    /// Everything behind the question mark, nil without one.
    var query: String? {
        text.firstIndex(of: "?").map { String(text[text.index(after: $0)...]) }
    }

    private var withoutQuery: Substring { text.prefix { $0 != "?" } }

    /// Whether both lead to the same place, whatever their queries and the case of their paths: Azure matches ids
    /// without regard to case (azure-resource-manager-rpc v1.0, read 2026-02).
    func leadsToPath(of other: OperationLink) -> Bool {
        withoutQuery.lowercased() == other.withoutQuery.lowercased()
    }

    /// The URL of the resource that a request writes: the request's own with nothing but the API version behind it.
    static func resource(writtenBy url: String) -> OperationLink {
        let link = OperationLink(url)
        let version = (link.query ?? "").split(separator: "&").first { $0.lowercased().hasPrefix("api-version=") }
        return OperationLink(link.withoutQuery + (version.map { "?\($0)" } ?? ""))
    }

    /// A header's link as an absolute URL, nil if it leads anywhere but to that service: our token may not go there.
    init?(header: String, at service: ServiceURL) {
        text = header.hasPrefix("/") && !header.hasPrefix("//") ? service.origin + header : header
        guard service.owns(text) else { return nil }
    }
}

extension OperationLink: Codable {
    package init(from decoder: any Decoder) throws {
        text = try decoder.singleValueContainer().decode(String.self)
    }

    package func encode(to encoder: any Encoder) throws {
        var value = encoder.singleValueContainer()
        try value.encode(text)
    }
}

extension OperationLink: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Without the query.
    package var description: String { withoutQuery + (query == nil ? "" : "?\(Secret.redacted)") }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

extension ServiceURL {
    /// Scheme, host and port alone.
    fileprivate var origin: String {
        String(description.dropLast(pathPrefix.count))
    }
}
