/// A storage account as JSON in Azure's replies.
struct StorageAccountDocument: ResourceDocument, Sendable {
    struct SKU: Decodable {
        let name: String?
    }

    let id: String
    let name: String
    let location: String?
    let kind: String?
    let sku: SKU?
    let tags: [String: String?]?
    let properties: JSONValue?

    var value: StorageAccount? {
        guard let resourceID = ResourceID(id) else { return nil }
        let properties = properties ?? .object([:])
        return StorageAccount(
            resourceID: resourceID, name: name, location: location ?? "", kind: kind, skuName: sku?.name,
            tags: (tags ?? [:]).compactMapValues(\.self), provisioningState: properties["provisioningState"]?.string,
            fileEndpoint: properties["primaryEndpoints"]?["file"]?.string,
            blobEndpoint: properties["primaryEndpoints"]?["blob"]?.string,
            allowSharedKeyAccess: properties["allowSharedKeyAccess"]?.bool, properties: properties)
    }
}

/// A storage account as JSON in our PUT (Azure/azure-rest-api-specs, Microsoft.Storage 2023-01-01, read 2026-02):
/// encrypted connections only, and no blob readable without a token.
struct StorageAccountBody: Encodable {
    struct SKU: Encodable {
        let name: String
    }

    struct Properties: Encodable {
        let minimumTlsVersion = "TLS1_2"
        let supportsHttpsTrafficOnly = true
        let allowBlobPublicAccess = false
        let allowSharedKeyAccess: Bool?
    }

    let location: String
    let kind: String
    let sku: SKU
    let tags: [String: String]
    let properties: Properties

    init(_ request: StorageAccountRequest) {
        location = request.location
        kind = request.kind
        sku = SKU(name: request.skuName)
        tags = request.tags
        properties = Properties(allowSharedKeyAccess: request.allowSharedKeyAccess)
    }
}

/// An account's keys as JSON in Azure's reply.
struct StorageKeysDocument: Decodable {
    struct Key: Decodable {
        let keyName: String
        let value: String
        let permissions: String?
    }

    let keys: [Key]

    var values: [StorageAccountKey] {
        keys.map { StorageAccountKey(name: $0.keyName, value: Secret($0.value), permissions: $0.permissions) }
    }
}

/// A share as JSON in Azure's replies.
struct FileShareDocument: ResourceDocument, Sendable {
    let id: String
    let name: String
    let properties: JSONValue?

    var value: FileShare? {
        guard let resourceID = ResourceID(id) else { return nil }
        let properties = properties ?? .object([:])
        return FileShare(
            resourceID: resourceID, name: name, quotaGiB: properties["shareQuota"]?.integer,
            accessTier: properties["accessTier"]?.string,
            metadata: (properties["metadata"]?.object ?? [:]).compactMapValues(\.string), properties: properties)
    }
}

/// A share as JSON in our PUT.
struct FileShareBody: Encodable {
    struct Properties: Encodable {
        let shareQuota: Int?
        let metadata: [String: String]?
    }

    let properties: Properties
}
