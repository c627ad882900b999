/// Which of several identities of one machine or site is meant.
enum ManagedIdentityID: Sendable, Hashable {
    case clientID(String)
    case resourceID(String)
    /// The identity's principal.
    case objectID(String)

    /// Nil unless the text is a GUID, taken as a client id, a GUID behind `object:`, or a resource id.
    init?(_ text: String) {
        if text.hasPrefix("object:") {
            guard let id = GUID(String(text.dropFirst("object:".count))) else { return nil }
            self = .objectID(id.description)
        } else if text.hasPrefix("/") {
            guard ResourceID(text) != nil else { return nil }
            self = .resourceID(text)
        } else {
            guard GUID(text) != nil else { return nil }
            self = .clientID(text)
        }
    }
}
