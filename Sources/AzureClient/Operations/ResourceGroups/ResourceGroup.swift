/// The name of a resource group.
package struct ResourceGroupName: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
    package let rawValue: String
    package var description: String { rawValue }

    /// Nil unless the text has 1 to 90 letters, digits, `-`, `_`, `(`, `)` and periods, and no period at its end
    /// (Azure docs, "Naming rules and restrictions for Azure resources", read 2026-02).
    package init?(rawValue: String) {
        guard (1...90).contains(rawValue.count), !rawValue.hasSuffix("."),
            rawValue.allSatisfy({ $0.isLetter || $0.isNumber || "-_().".contains($0) })
        else { return nil }
        self.rawValue = rawValue
    }
}

/// A resource group as Azure described it.
package struct ResourceGroup: Sendable, Hashable {
    package var resourceID: ResourceID
    package var name: String
    /// The region's name, such as `westeurope`.
    package var location: String
    package var tags: [String: String]
    /// `Succeeded`, `Deleting` or a later word.
    package var provisioningState: String?

    /// While it is being deleted it takes nothing new.
    package var isDeleting: Bool { provisioningState?.lowercased() == "deleting" }
}

/// A subscription as Azure described it.
package struct Subscription: Sendable, Hashable {
    package var id: String
    package var tenantID: String?
    package var displayName: String?
    /// `Enabled`, `Disabled`, `Warned`, `PastDue`, `Deleted` or a later word.
    package var state: String?
}

/// Whether a subscription is registered for a resource provider. Nothing can be put before it is.
package struct ProviderRegistration: Sendable, Hashable {
    /// Such as `Microsoft.Web`.
    package var namespace: String
    /// `Registered`, `Registering`, `NotRegistered`, `Unregistering`, `Unregistered` or a later word.
    package var state: String

    package var isRegistered: Bool { state.lowercased() == "registered" }
}

/// A resource of any type, as lists of resources describe it: without its properties.
package struct ListedResource: Sendable, Hashable {
    package var resourceID: ResourceID
    package var name: String
    /// Such as `Microsoft.Web/sites`; compare without case.
    package var type: String
    package var location: String?
    package var kind: String?
    /// Nil where Azure left them out, as it does in lists by tag.
    package var tags: [String: String]?
    package var sku: JSONValue?
}

/// Which resources are wanted. Azure cannot combine a tag with anything else, not even with a group
/// (Azure/azure-cli issue 7674, Azure/azure-rest-api-specs issue 21324, read 2026-11).
package enum ResourceSelection: Sendable, Hashable {
    case all
    /// Of this type, such as `Microsoft.Web/sites`.
    case type(String)
    /// Those with this tag, in the whole subscription. Their tags are not told (Azure REST docs, "Resources - List").
    case tag(name: String, value: String)

    /// As an OData filter; a quote in a text is doubled, so that no text can end its literal.
    var filter: String? {
        func literal(_ text: String) -> String { "'\(text.replacing("'", with: "''"))'" }
        return switch self {
        case .all: nil
        case .type(let type): "resourceType eq \(literal(type))"
        case .tag(let name, let value): "tagName eq \(literal(name)) and tagValue eq \(literal(value))"
        }
    }
}
