/// The managed identities that a site has.
package struct ManagedIdentities: Sendable, Hashable {
    package var hasSystemAssigned: Bool
    /// Each with its client id, which Azure adds in replies and nobody sends.
    package var userAssigned: [ResourceID: String?]

    package init(hasSystemAssigned: Bool = false, userAssigned: [ResourceID: String?] = [:]) {
        self.hasSystemAssigned = hasSystemAssigned
        self.userAssigned = userAssigned
    }

    package var isEmpty: Bool { !hasSystemAssigned && userAssigned.isEmpty }

    /// These and the others.
    package func union(_ others: ManagedIdentities) -> ManagedIdentities {
        ManagedIdentities(
            hasSystemAssigned: hasSystemAssigned || others.hasSystemAssigned,
            userAssigned: userAssigned.merging(others.userAssigned) { first, _ in first })
    }

    /// Azure's word for the combination (azure-rest-api-specs, Microsoft.Web 2025-03-01, `ManagedServiceIdentityType`,
    /// read 2026-11).
    var type: String {
        switch (hasSystemAssigned, userAssigned.isEmpty) {
        case (true, true): "SystemAssigned"
        case (true, false): "SystemAssigned, UserAssigned"
        case (false, false): "UserAssigned"
        case (false, true): "None"
        }
    }
}

/// Identities as JSON, both ways.
struct IdentityDocument: Codable {
    struct Entry: Codable {
        let clientId: String?
    }

    let type: String?
    let userAssignedIdentities: [String: Entry?]?

    init(_ identities: ManagedIdentities) {
        type = identities.type
        userAssignedIdentities =
            identities.userAssigned.isEmpty
            ? nil
            : Dictionary(
                identities.userAssigned.keys.map { ($0.description, Entry(clientId: nil)) }, uniquingKeysWith: { $1 })
    }

    /// Entries that are no resource ids are left out: they cannot be sent back.
    var identities: ManagedIdentities {
        ManagedIdentities(
            hasSystemAssigned: type?.lowercased().contains("systemassigned") ?? false,
            userAssigned: Dictionary(
                (userAssignedIdentities ?? [:]).compactMap { id, entry in
                    ResourceID(id).map { ($0, entry.flatMap(\.clientId)) }
                }, uniquingKeysWith: { $1 }))
    }
}
