// Microsoft.Storage/storageAccounts, the management plane (REST specifications 2023-01-01 to 2025-08-01, recorded
// replies of 2021-09-01, read 2026-11).

extension World {
    /// Versions of Microsoft.Storage that are answered, all alike.
    static let storageVersions = [
        "2019-06-01", "2021-04-01", "2021-08-01", "2021-09-01", "2022-05-01", "2022-09-01", "2023-01-01", "2023-04-01",
        "2023-05-01", "2024-01-01", "2025-01-01", "2025-06-01", "2025-08-01",
    ]

    mutating func answerStorage(_ call: ResourceCall, at now: Instant) -> Reply {
        RefusedRequest.replying { () throws(RefusedRequest) in
            switch call.path.segments[0].lowercased() {
            case "checknameavailability" where call.path.segments.count == 1: return try checkStorageName(call)
            case "locations": return try storageCreation(call, at: now)
            case "storageaccounts": break
            default: return call.methodNotAllowed
            }
            guard let name = call.path.name else {
                return call.method == "GET" ? try listStorageAccounts(call) : call.methodNotAllowed
            }
            guard let group = call.path.group else { return call.methodNotAllowed }
            switch (call.path.suffix, call.method) {
            case ("", "GET"): return .json(200, document(of: try storageAccount(name, group: group)))
            case ("", "PUT"): return try putStorageAccount(name, group: group, call, at: now)
            case ("", "PATCH"): return try patchStorageAccount(name, group: group, call, at: now)
            case ("", "DELETE"): return deleteStorageAccount(name, group: group)
            case ("listkeys", "POST"): return .json(200, document(of: try storageAccount(name, group: group).keys))
            case ("regeneratekey", "POST"): return try regenerateKey(name, group: group, call, at: now)
            default: return try answerStorageService(of: storageAccount(name, group: group), call, at: now)
            }
        }
    }

    /// The accounts that are there from the start.
    mutating func addStorageAccounts() {
        let group = settings.resourceGroups.first ?? "skls"
        let beginning = Instant(nanoseconds: 0)
        for name in settings.storageAccounts where storage.accounts[name] == nil {
            storage.accounts[name] = StorageAccount(
                name: name, group: group, location: settings.location, kind: "StorageV2", skuName: "Standard_LRS",
                keys: [
                    StorageKey("key1", from: &random, at: beginning), StorageKey("key2", from: &random, at: beginning),
                ], created: beginning, changed: beginning)
        }
    }

    /// With all its shares and their files.
    fileprivate mutating func forgetStorageAccount(_ name: String) {
        guard let account = storage.accounts.removeValue(forKey: name) else { return }
        for share in account.shares.keys.sorted() {
            effects.append(.removeShare(ShareFolder(account: account.name, share: share)))
        }
    }

    private func storageAccount(_ name: String, group: String) throws(RefusedRequest) -> StorageAccount {
        guard let account = storage.account(name, group: group) else {
            throw .notFound("Microsoft.Storage/storageAccounts/\(name)", group: group)
        }
        return account
    }

    private func listStorageAccounts(_ call: ResourceCall) throws(RefusedRequest) -> Reply {
        let accounts = storage.accounts.values.filter { account in
            account.readyAt == nil && (call.path.group.map { $0.lowercased() == account.group.lowercased() } ?? true)
        }
        return try call.page(
            accounts.sorted { $0.name < $1.name }, size: settings.pageSize, key: \.name, document: document(of:))
    }

    // MARK: Names

    /// Names are of 3 to 24 digits and lower-case letters (Azure docs, resource-name-rules, read 2026-02).
    static func isAccountName(_ name: String) -> Bool {
        (3...24).contains(name.utf8.count)
            && name.utf8.allSatisfy {
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                    || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
            }
    }

    private func isTaken(_ name: String) -> Bool {
        storage.accounts[name.lowercased()] != nil || settings.takenStorageNames.contains(name.lowercased())
    }

    private static func invalidName(_ name: String) -> String {
        "\(name) is not a valid storage account name. Storage account name must be between 3 and 24 characters in "
            + "length and use numbers and lower-case letters only."
    }

    private static func taken(_ name: String) -> String { "The storage account named \(name) is already taken." }

    private func checkStorageName(_ call: ResourceCall) throws(RefusedRequest) -> Reply {
        guard call.method == "POST" else { return call.methodNotAllowed }
        guard let name = try call.object()["name"]?.string else { throw .content("'name' is missing") }
        func answer(_ reason: String, _ message: String) -> Reply {
            .json(200, ["nameAvailable": false, "reason": .string(reason), "message": .string(message)])
        }
        guard Self.isAccountName(name) else { return answer("AccountNameInvalid", Self.invalidName(name)) }
        return isTaken(name) ? answer("AlreadyExists", Self.taken(name)) : .json(200, ["nameAvailable": true])
    }

    // MARK: Changes

    private mutating func putStorageAccount(
        _ name: String, group: String, _ call: ResourceCall, at now: Instant
    ) throws(RefusedRequest) -> Reply {
        guard Self.isAccountName(name) else {
            throw RefusedRequest(400, "AccountNameInvalid", Self.invalidName(name))
        }
        let body = try call.object()
        guard let wanted = body["location"]?.string, !wanted.isEmpty else {
            throw RefusedRequest(
                400, "LocationRequired", "The location property is required for this definition.")
        }
        guard let location = region(wanted) else {
            throw RefusedRequest(
                400, "LocationNotAvailableForResourceType",
                "The provided location '\(wanted)' is not available for resource type "
                    + "'Microsoft.Storage/storageAccounts'. List of available regions for the resource type is "
                    + "'\(WorldSettings.regions.keys.sorted().joined(separator: ","))'.")
        }
        guard let sku = body["sku"]?["name"]?.string, let kind = body["kind"]?.string else {
            // The code is a guess.
            throw RefusedRequest(
                400, "InvalidRequestPropertyValue", "The properties 'sku' and 'kind' are required.")
        }
        let identity = body["identity"].flatMap { $0.isNull ? nil : $0 }
        let tags = try TagSet.read(body["tags"]) ?? []
        let properties = try Self.keptProperties(body)
        guard var account = storage.accounts[name] else {
            guard !isTaken(name) else { throw RefusedRequest(409, "StorageAccountAlreadyTaken", Self.taken(name)) }
            let latency = settings.scaled(ResourceLatency.storageAccount)
            var created = StorageAccount(
                name: name, group: group, location: location, kind: kind, skuName: sku,
                keys: [StorageKey("key1", from: &random, at: now), StorageKey("key2", from: &random, at: now)],
                created: now, changed: now, readyAt: now + latency)
            created.tags = tags
            created.identity = identity
            created.properties = properties
            storage.accounts[name] = created
            let operation = random.guid()
            storage.creations[operation] = StorageState.Creation(account: name, endsAt: now + latency)
            return creationReply(operation, location: location, call, wait: latency)
        }
        guard account.group.lowercased() == group.lowercased() else {
            // Seen in public reports.
            throw RefusedRequest(
                409, "StorageAccountInAnotherResourceGroup",
                "The account \(name) is already in another resource group in this subscription.")
        }
        guard account.readyAt == nil else {
            throw RefusedRequest(
                409, "StorageAccountOperationInProgress",
                "An operation is currently performing on this storage account that requires exclusive access.")
        }
        guard account.location == location else {
            throw RefusedRequest(
                409, "InvalidResourceLocation",
                "The resource '\(name)' already exists in location '\(account.location)' in resource group "
                    + "'\(account.group)'. A resource with the same name cannot be created in location '\(location)'. "
                    + "Please select a new resource name.")
        }
        account.group = group
        account.kind = kind
        account.skuName = sku
        account.tags = tags
        account.identity = identity ?? account.identity
        account.properties = properties
        account.changed = now
        storage.accounts[name] = account
        return .json(200, document(of: account))
    }

    private mutating func patchStorageAccount(
        _ name: String, group: String, _ call: ResourceCall, at now: Instant
    ) throws(RefusedRequest) -> Reply {
        var account = try storageAccount(name, group: group)
        let body = try call.object()
        if let tags = try TagSet.read(body["tags"]) { account.tags = tags }
        if let sku = body["sku"]?["name"]?.string { account.skuName = sku }
        if let kind = body["kind"]?.string { account.kind = kind }
        if let identity = body["identity"], !identity.isNull { account.identity = identity }
        let changes = try Self.keptProperties(body)
        account.properties.removeAll { old in changes.contains { $0.name.lowercased() == old.name.lowercased() } }
        account.properties += changes
        account.changed = now
        storage.accounts[account.name] = account
        return .json(200, document(of: account))
    }

    private mutating func deleteStorageAccount(_ name: String, group: String) -> Reply {
        guard let account = storage.account(name, group: group) else { return Reply(status: 204) }
        forgetStorageAccount(account.name)
        return Reply(status: 200)
    }

    private mutating func regenerateKey(
        _ name: String, group: String, _ call: ResourceCall, at now: Instant
    ) throws(RefusedRequest) -> Reply {
        var account = try storageAccount(name, group: group)
        let wanted = try call.object()["keyName"]?.string ?? ""
        guard let index = account.keys.firstIndex(where: { $0.name == wanted.lowercased() }) else {
            throw RefusedRequest(400, "InvalidKeyName", "The key name '\(wanted)' is not valid.")
        }
        account.keys[index] = StorageKey(account.keys[index].name, from: &random, at: now)
        storage.accounts[account.name] = account
        return .json(200, document(of: account.keys))
    }

    /// What of `properties` is kept: all that the client may set, none of what the service computes.
    private static func keptProperties(_ body: JSON) throws(RefusedRequest) -> [JSON.Member] {
        let computed: Set<String> = [
            "provisioningstate", "creationtime", "primaryendpoints", "primarylocation", "statusofprimary",
            "keycreationtime", "privateendpointconnections", "encryption",
        ]
        let properties = try ResourceCall.object(body["properties"], named: "properties")
        return (properties.members ?? []).filter { !computed.contains($0.name.lowercased()) && !$0.value.isNull }
    }

    // MARK: The operation that creates an account

    private func creationReply(
        _ operation: String, location: String, _ call: ResourceCall, wait: Duration
    ) -> Reply {
        var reply = Reply(status: 202)
        reply.add("Content-Type", "text/plain; charset=utf-8")
        reply.add(
            "Location",
            "\(call.request.baseURL)\(subscriptionPath)/providers/Microsoft.Storage/locations/\(location)"
                + "/asyncoperations/\(operation)?monitor=true&api-version=\(call.version)")
        reply.addRetryAfter(wait, atMost: ResourceLatency.storageAccount)
        return reply
    }

    /// `locations/{region}/asyncoperations/{id}`: 202 until the account is there, then 200 with it. An account that was
    /// deleted since is not found.
    private func storageCreation(_ call: ResourceCall, at now: Instant) throws(RefusedRequest) -> Reply {
        let segments = call.path.segments
        guard call.method == "GET", segments.count == 4, segments[2].lowercased() == "asyncoperations" else {
            return call.methodNotAllowed
        }
        guard let creation = storage.creations[segments[3].lowercased()] else {
            throw RefusedRequest(404, "OperationNotFound", "The operation could not be found.")
        }
        guard creation.endsAt <= now else {
            return creationReply(segments[3], location: segments[1], call, wait: creation.endsAt - now)
        }
        guard let account = storage.accounts[creation.account] else {
            throw .notFound("Microsoft.Storage/storageAccounts/\(creation.account)", group: "")
        }
        return .json(200, document(of: account))
    }
}

extension ResourceInventory {
    static let storageAccounts = ResourceInventory(
        type: "Microsoft.Storage/storageAccounts",
        list: { world in world.storage.accounts.values.filter { $0.readyAt == nil }.map(world.tracked) },
        find: { world, group, name in world.storage.account(name, group: group).map(world.tracked) },
        setTags: { world, resource, tags, now in
            world.storage.accounts[resource.name]?.tags = tags
            world.storage.accounts[resource.name]?.changed = now
        },
        delete: { world, resource, _ in world.forgetStorageAccount(resource.name) })
}

extension World {
    fileprivate func tracked(_ account: StorageAccount) -> TrackedResource {
        TrackedResource(
            id: id(of: account), type: "Microsoft.Storage/storageAccounts", name: account.name, group: account.group,
            location: account.location, tags: account.tags, created: account.created, changed: account.changed,
            document: { world in world.document(of: account) })
    }
}
