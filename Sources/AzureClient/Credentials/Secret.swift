/// A text that must not be printed: neither interpolation, nor `dump`, nor a mirror shows it.
package struct Secret: Sendable, Hashable {
    /// What is printed in its place.
    package static let redacted = "<redacted>"
    private let text: String

    package init(_ text: String) {
        self.text = text
    }

    /// The text itself, for the one place that puts it on the wire.
    package func reveal() -> String { text }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { Self.redacted }
    package var debugDescription: String { Self.redacted }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
