/// A site as JSON in Azure's replies.
struct SiteDocument: ResourceDocument, Sendable {
    let id: String
    let name: String
    let kind: String?
    let location: String?
    let tags: [String: String?]?
    let identity: IdentityDocument?
    let properties: JSONValue?

    var value: Site? {
        guard let resourceID = ResourceID(id) else { return nil }
        let properties = properties ?? .object([:])
        return Site(
            name: name, resourceID: resourceID, kind: kind, location: location ?? "",
            tags: (tags ?? [:]).compactMapValues(\.self), identities: identity?.identities ?? ManagedIdentities(),
            state: properties["state"]?.string, enabled: properties["enabled"]?.bool,
            defaultHostName: properties["defaultHostName"]?.string,
            lastModifiedTime: properties["lastModifiedTimeUtc"]?.string,
            linuxFxVersion: properties["siteConfig"]?["linuxFxVersion"]?.string,
            serverFarmID: properties["serverFarmId"]?.string.flatMap { ResourceID($0) },
            managedEnvironmentID: properties["managedEnvironmentId"]?.string.flatMap { ResourceID($0) },
            properties: properties)
    }
}

/// A set of texts by name: app settings.
struct StringDictionaryDocument: Codable {
    let properties: [String: String?]
}

/// A set of mounts by id. Azure sends null, not an empty object, where nothing is mounted (guess: seen for other sets).
struct MountsDocument: Codable {
    let properties: [String: JSONValue]?
}

/// `config/web` in Azure's replies.
struct ConfigDocument: Decodable {
    let properties: JSONValue
}
