/// One mount of a site: storage that the platform puts into the container's file system.
package struct SiteMount: Sendable, Hashable {
    /// `AzureFiles`, `AzureBlob` or a later word.
    package var type: String
    package var accountName: String
    /// The share, or the container of blobs.
    package var shareName: String
    package var mountPath: String
    /// Nil where the site reaches the storage by its identity, or where Azure does not tell.
    package var accessKey: Secret?
    /// What else Azure said (such as `protocol` and the read-only `state`), sent back as it came.
    package var others: [String: JSONValue]

    package init(
        type: String = "AzureFiles", accountName: String, shareName: String, mountPath: String,
        accessKey: Secret? = nil, others: [String: JSONValue] = [:]
    ) {
        self.type = type
        self.accountName = accountName
        self.shareName = shareName
        self.mountPath = mountPath
        self.accessKey = accessKey
        self.others = others
    }

    /// `Ok`, `InvalidCredentials`, `InvalidShare`, `NotValidated` or a later word.
    package var state: String? { others["state"]?.string }
}

extension SiteMount {
    private static let known: Set = ["type", "accountName", "shareName", "mountPath", "accessKey"]

    init(_ json: JSONValue) {
        self.init(
            type: json["type"]?.string ?? "", accountName: json["accountName"]?.string ?? "",
            shareName: json["shareName"]?.string ?? "", mountPath: json["mountPath"]?.string ?? "",
            accessKey: json["accessKey"]?.string.map { Secret($0) },
            others: (json.object ?? [:]).filter { !Self.known.contains($0.key) })
    }

    /// Without `state`, which only Azure writes.
    var json: JSONValue {
        var members = others
        members["state"] = nil
        members["type"] = .string(type)
        members["accountName"] = .string(accountName)
        members["shareName"] = .string(shareName)
        members["mountPath"] = .string(mountPath)
        if let accessKey { members["accessKey"] = .string(accessKey.reveal()) }
        return .object(members)
    }
}
