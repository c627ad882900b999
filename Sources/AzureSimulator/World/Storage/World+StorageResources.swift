// How storage resources look in replies (recorded replies of 2021-09-01, Azure/azure-cli
// `test_create_storage_account`, `test_renew_account_key`, `test_storage_file_using_rm_main_scenario`, read 2026-11).

extension World {
    func id(of account: StorageAccount) -> String {
        "\(subscriptionPath)/resourceGroups/\(account.group)/providers/Microsoft.Storage/storageAccounts/\(account.name)"
    }

    func document(of account: StorageAccount) -> JSON {
        var members: [JSON.Member] = [
            .init(
                name: "sku", value: ["name": .string(account.skuName), "tier": .string(account.skuTier)]),
            .init(name: "kind", value: .string(account.kind)), .init(name: "id", value: .string(id(of: account))),
            .init(name: "name", value: .string(account.name)),
            .init(name: "type", value: "Microsoft.Storage/storageAccounts"),
            .init(name: "location", value: .string(account.location)),
            .init(name: "tags", value: .object(account.tags)),
        ]
        if let identity = account.identity { members.append(.init(name: "identity", value: identity)) }
        members.append(.init(name: "properties", value: .object(properties(account))))
        return .object(members)
    }

    /// Defaults are those of accounts made by the API's newer versions; what the client sent goes over them.
    private func properties(_ account: StorageAccount) -> [JSON.Member] {
        let created = JSON.string(account.created.iso8601Ticks)
        let service: JSON = ["keyType": "Account", "enabled": true, "lastEnabledTime": created]
        let endpoints = ["dfs", "web", "blob", "queue", "table", "file"].map { service in
            JSON.Member(
                name: service,
                value: .string("https://\(account.name).\(service == "web" ? "z13.web" : service).core.windows.net/"))
        }
        let defaults: JSON = [
            "keyCreationTime": .object(
                account.keys.map { .init(name: $0.name, value: .string($0.created.iso8601Ticks)) }),
            "privateEndpointConnections": [], "minimumTlsVersion": "TLS1_2", "allowBlobPublicAccess": false,
            "networkAcls": [
                "bypass": "AzureServices", "virtualNetworkRules": [], "ipRules": [], "defaultAction": "Allow",
            ],
            "supportsHttpsTrafficOnly": true,
            "encryption": ["services": ["file": service, "blob": service], "keySource": "Microsoft.Storage"],
            "accessTier": "Hot", "provisioningState": "Succeeded", "creationTime": created,
            "primaryEndpoints": .object(endpoints), "primaryLocation": .string(account.location),
            "statusOfPrimary": "available",
        ]
        var members = defaults.members ?? []
        for sent in account.properties {
            if let index = members.firstIndex(where: { $0.name.lowercased() == sent.name.lowercased() }) {
                members[index].value = sent.value
            } else {
                members.append(sent)
            }
        }
        return members
    }

    func document(of keys: [StorageKey]) -> JSON {
        [
            "keys": .array(
                keys.map { key in
                    [
                        "creationTime": .string(key.created.iso8601Ticks), "keyName": .string(key.name),
                        "value": .string(key.value), "permissions": "FULL",
                    ]
                })
        ]
    }

    /// What a PUT or PATCH of a share answers.
    func writtenDocument(of share: FileShare, in account: StorageAccount) -> JSON {
        var properties: [JSON.Member] = []
        if !share.metadata.isEmpty { properties.append(.init(name: "metadata", value: .object(share.metadata))) }
        properties.append(.init(name: "shareQuota", value: .number(share.quotaGiB)))
        return document(of: share, in: account, properties: properties, hasETag: false)
    }

    /// What a GET of a share answers, and a list, which leaves metadata out.
    func document(of share: FileShare, in account: StorageAccount, isListed: Bool) -> JSON {
        var properties: [JSON.Member] = [
            .init(name: "leaseStatus", value: "unlocked"), .init(name: "leaseState", value: "available"),
        ]
        if !isListed {
            properties.append(.init(name: "signedIdentifiers", value: []))
            if !share.metadata.isEmpty { properties.append(.init(name: "metadata", value: .object(share.metadata))) }
        }
        properties += [
            .init(name: "accessTier", value: .string(share.accessTier)),
            .init(name: "lastModifiedTime", value: .string(share.changed.iso8601Seconds)),
            .init(name: "shareQuota", value: .number(share.quotaGiB)),
            .init(name: "enabledProtocols", value: .string(share.protocols)),
        ]
        return document(of: share, in: account, properties: properties, hasETag: true)
    }

    private func document(
        of share: FileShare, in account: StorageAccount, properties: [JSON.Member], hasETag: Bool
    ) -> JSON {
        var members: [JSON.Member] = [
            .init(name: "id", value: .string("\(id(of: account))/fileServices/default/shares/\(share.name)")),
            .init(name: "name", value: .string(share.name)),
            .init(name: "type", value: "Microsoft.Storage/storageAccounts/fileServices/shares"),
        ]
        if hasETag { members.append(.init(name: "etag", value: .string(share.etag))) }
        members.append(.init(name: "properties", value: .object(properties)))
        return .object(members)
    }

    /// The settings of one of the account's services, as they are unless they were changed, which is not simulated.
    func serviceDocument(_ service: String, of account: StorageAccount) -> JSON {
        var properties: [JSON.Member] = [.init(name: "cors", value: ["corsRules": []])]
        switch service {
        case "fileServices":
            properties.append(.init(name: "protocolSettings", value: ["smb": [:]]))
            properties.append(.init(name: "shareDeleteRetentionPolicy", value: ["enabled": true, "days": 7]))
        case "blobServices":
            properties.append(
                .init(name: "deleteRetentionPolicy", value: ["allowPermanentDelete": false, "enabled": false]))
        default: break
        }
        return [
            "sku": ["name": .string(account.skuName), "tier": .string(account.skuTier)],
            "id": .string("\(id(of: account))/\(service)/default"), "name": "default",
            "type": .string("Microsoft.Storage/storageAccounts/\(service)"), "properties": .object(properties),
        ]
    }
}
