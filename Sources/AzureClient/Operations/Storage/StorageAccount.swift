/// The name of a storage account, unique in all of Azure because it is part of host names.
package struct StorageAccountName: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
    package let rawValue: String
    package var description: String { rawValue }

    /// Nil unless the text has 3 to 24 digits and lower-case letters (Azure docs, "Naming rules and restrictions for
    /// Azure resources", read 2026-02).
    package init?(rawValue: String) {
        guard (3...24).contains(rawValue.utf8.count),
            rawValue.allSatisfy({ $0.isASCII && ($0.isLowercase || $0.isNumber) })
        else { return nil }
        self.rawValue = rawValue
    }
}

/// The name of a share of Azure Files.
package struct FileShareName: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
    package let rawValue: String
    package var description: String { rawValue }

    /// Nil unless the text has 3 to 63 digits, lower-case letters and single hyphens, and no hyphen at either end
    /// (Azure docs, "Naming and referencing shares, directories, files, and metadata", read 2026-02).
    package init?(rawValue: String) {
        guard (3...63).contains(rawValue.utf8.count), !rawValue.hasPrefix("-"), !rawValue.hasSuffix("-"),
            !rawValue.contains("--"),
            rawValue.allSatisfy({ $0.isASCII && ($0.isLowercase || $0.isNumber || $0 == "-") })
        else { return nil }
        self.rawValue = rawValue
    }
}

/// What a storage account shall be.
package struct StorageAccountRequest: Sendable, Hashable {
    package var location: String
    /// `Standard_LRS` is the cheapest; `Premium_LRS` belongs to `FileStorage`.
    package var skuName: String
    package var kind: String
    /// All of the account's tags.
    package var tags: [String: String]
    /// Mounts of App Service and Container Apps need the key; nil leaves Azure's default, which is to allow it.
    package var allowSharedKeyAccess: Bool?

    package init(
        location: String, skuName: String = "Standard_LRS", kind: String = "StorageV2", tags: [String: String] = [:],
        allowSharedKeyAccess: Bool? = nil
    ) {
        self.location = location
        self.skuName = skuName
        self.kind = kind
        self.tags = tags
        self.allowSharedKeyAccess = allowSharedKeyAccess
    }
}

/// A storage account as Azure described it.
package struct StorageAccount: Sendable, Hashable {
    package var resourceID: ResourceID
    package var name: String
    package var location: String
    /// Such as `StorageV2`.
    package var kind: String?
    /// Such as `Standard_LRS`.
    package var skuName: String?
    package var tags: [String: String]
    /// `Creating`, `ResolvingDNS`, `Succeeded` or a later word.
    package var provisioningState: String?
    /// Where shares are reached, such as `https://name.file.core.windows.net/`. Read, never built: clouds differ.
    package var fileEndpoint: String?
    package var blobEndpoint: String?
    /// Nil where Azure leaves it out, which means that it is allowed.
    package var allowSharedKeyAccess: Bool?
    /// All of `properties`, known and unknown.
    package var properties: JSONValue
}

/// One of an account's two keys; either opens everything in it.
package struct StorageAccountKey: Sendable, Hashable {
    /// `key1` or `key2`.
    package var name: String
    /// In base 64.
    package var value: Secret
    /// `Full` or `Read`, in any case.
    package var permissions: String?
}

/// A share of Azure Files as the management plane described it.
package struct FileShare: Sendable, Hashable {
    package var resourceID: ResourceID
    package var name: String
    package var quotaGiB: Int64?
    /// `TransactionOptimized`, `Hot`, `Cool`, `Premium` or a later word. Left out in answers to writes.
    package var accessTier: String?
    package var metadata: [String: String]
    /// All of `properties`, known and unknown.
    package var properties: JSONValue
}
