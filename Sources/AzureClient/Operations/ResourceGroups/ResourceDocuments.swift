/// A resource group as JSON in Azure's replies.
struct ResourceGroupDocument: ResourceDocument, Sendable {
    let id: String
    let name: String
    let location: String?
    let tags: [String: String?]?
    let properties: JSONValue?

    var value: ResourceGroup? {
        guard let resourceID = ResourceID(id) else { return nil }
        return ResourceGroup(
            resourceID: resourceID, name: name, location: location ?? "",
            tags: (tags ?? [:]).compactMapValues(\.self),
            provisioningState: properties?["provisioningState"]?.string)
    }
}

/// A resource group as JSON in our PUT.
struct ResourceGroupBody: Encodable {
    let location: String
    let tags: [String: String]
}

/// A subscription as JSON in Azure's replies.
struct SubscriptionDocument: Decodable {
    let subscriptionId: String
    let tenantId: String?
    let displayName: String?
    let state: String?
}

/// A resource provider as JSON in Azure's replies.
struct ProviderDocument: Decodable {
    let namespace: String
    let registrationState: String?

    var registration: ProviderRegistration {
        ProviderRegistration(namespace: namespace, state: registrationState ?? "")
    }
}

/// An element of a list of resources.
struct ListedResourceDocument: ResourceDocument, Sendable {
    let id: String
    let name: String
    let type: String
    let location: String?
    let kind: String?
    let tags: [String: String?]?
    let sku: JSONValue?

    var value: ListedResource? {
        guard let resourceID = ResourceID(id) else { return nil }
        return ListedResource(
            resourceID: resourceID, name: name, type: type, location: location, kind: kind,
            tags: tags?.compactMapValues(\.self), sku: sku)
    }
}

/// The tags of any scope as JSON in Azure's replies.
struct TagsDocument: Decodable {
    struct Properties: Decodable {
        let tags: [String: String?]?
    }

    let properties: Properties
}

/// A change of tags as JSON in our PATCH.
struct TagsPatch: Encodable {
    struct Properties: Encodable {
        let tags: [String: String]
    }

    let operation: String
    let properties: Properties
}
