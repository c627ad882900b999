/// The path of a resource in Azure Resource Manager, `/subscriptions/…`, not escaped.
///
/// Two ids that differ only in case name the same resource (azure-resource-manager-rpc v1.0, read 2026-02), so they
/// are equal here; the spelling is kept.
package struct ResourceID: Sendable {
    /// The names between the slashes; none is empty, `.` or `..`, and none holds a slash or a control character.
    package let segments: [String]

    /// Nil unless the text is an absolute path that starts with `/subscriptions/`.
    package init?(_ text: String) {
        guard text.hasPrefix("/") else { return nil }
        self.init(segments: text.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map(String.init))
    }

    /// Nil if a segment could change the meaning of the path.
    init?(segments: [String]) {
        guard segments.count >= 2, segments[0].lowercased() == "subscriptions", segments.allSatisfy(Self.isSafe) else {
            return nil
        }
        self.segments = segments
    }

    /// The last segment: the resource's own name.
    package var name: String { segments.last ?? "" }

    /// For segments that are constants or were checked by their own type.
    init(unchecked segments: [String]) {
        self.segments = segments
    }

    /// The id as a URL path, each segment escaped.
    var escapedPath: String {
        segments.map { "/" + PercentEncoding.encoded($0) }.joined()
    }

    private static func isSafe(_ segment: String) -> Bool {
        !segment.isEmpty && segment != "." && segment != ".." && segment.utf8.count <= 260
            && segment.unicodeScalars.allSatisfy { $0 != "/" && $0.properties.generalCategory != .control }
    }
}

extension ResourceID: Hashable, CustomStringConvertible {
    package var description: String { "/" + segments.joined(separator: "/") }

    package static func == (left: ResourceID, right: ResourceID) -> Bool {
        left.description.lowercased() == right.description.lowercased()
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(description.lowercased())
    }
}
