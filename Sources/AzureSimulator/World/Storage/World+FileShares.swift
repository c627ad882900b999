// Microsoft.Storage/storageAccounts/fileServices/shares, the management plane (REST specifications, recorded replies of
// 2021-09-01, read 2026-11). Soft deletion is not simulated: a deleted share is gone.

extension World {
    /// What is below an account: its services' settings, and the shares of its file service.
    mutating func answerStorageService(
        of account: StorageAccount, _ call: ResourceCall, at now: Instant
    ) throws(RefusedRequest) -> Reply {
        let segments = Array(call.path.segments.dropFirst(2))
        guard segments.count >= 2, segments[1].lowercased() == "default",
            let service = ["fileServices", "blobServices", "queueServices", "tableServices"].first(where: {
                $0.lowercased() == segments[0].lowercased()
            })
        else { return call.methodNotAllowed }
        if segments.count == 2, call.method == "GET" { return .json(200, serviceDocument(service, of: account)) }
        guard service == "fileServices", segments.count >= 3, segments[2].lowercased() == "shares" else {
            return call.methodNotAllowed
        }
        if segments.count == 3, call.method == "GET" { return try listShares(of: account, call) }
        guard segments.count == 4 else { return call.methodNotAllowed }
        let name = segments[3].lowercased()
        switch call.method {
        case "GET":
            let share = try share(name, of: account, at: now)
            return written(share, .json(200, document(of: share, in: account, isListed: false)))
        case "PUT": return try putShare(name, of: account, call, at: now)
        case "PATCH": return try patchShare(name, of: account, call, at: now)
        case "DELETE":
            // Below a share there are no snapshots here, so that `$include` changes nothing.
            guard account.shares[name] != nil else { return Reply(status: 204) }
            storage.accounts[account.name]?.shares[name] = nil
            effects.append(.removeShare(ShareFolder(account: account.name, share: name)))
            return Reply(status: 200)
        default: return call.methodNotAllowed
        }
    }

    private func share(_ name: String, of account: StorageAccount, at now: Instant) throws(RefusedRequest) -> FileShare
    {
        guard let share = account.shares[name] else {
            // The time is of the data plane, whose error this is (recorded).
            throw RefusedRequest(
                404, "ShareNotFound", "The specified share does not exist.\nTime:\(now.iso8601Ticks)")
        }
        return share
    }

    /// Pages hold at most `$maxpagesize` shares. `$filter` is by the beginning of the name.
    private func listShares(of account: StorageAccount, _ call: ResourceCall) throws(RefusedRequest) -> Reply {
        let filter = try ResourceFilter(call.parameter("$filter"))
        let shares = account.shares.values.sorted { $0.name < $1.name }.filter { share in
            filter.accepts(
                TrackedResource(
                    id: "", type: "", name: share.name, group: "", location: "", tags: [], document: { _ in .null }))
        }
        return try call.page(
            shares, size: call.top("$maxpagesize", atMost: settings.pageSize), key: \.name,
            document: { document(of: $0, in: account, isListed: true) })
    }

    private mutating func putShare(
        _ name: String, of account: StorageAccount, _ call: ResourceCall, at now: Instant
    ) throws(RefusedRequest) -> Reply {
        guard Self.isShareName(name) else {
            // The code is a guess.
            throw RefusedRequest(
                400, "InvalidResourceName",
                "The specified resource name contains invalid characters or is of an invalid length.")
        }
        let existing = account.shares[name]
        // An existing share is answered with 200 and keeps what it has.
        if let existing { return written(existing, .json(200, writtenDocument(of: existing, in: account))) }
        var share = FileShare(
            name: name, quotaGiB: 5_120, accessTier: "TransactionOptimized", protocols: "SMB", metadata: [],
            etag: "", changed: now)
        let properties = try ResourceCall.object(call.object()["properties"], named: "properties")
        if let protocols = properties["enabledProtocols"]?.string { share.protocols = protocols }
        return try store(&share, properties, of: account, status: 201, at: now)
    }

    private mutating func patchShare(
        _ name: String, of account: StorageAccount, _ call: ResourceCall, at now: Instant
    ) throws(RefusedRequest) -> Reply {
        var share = try share(name, of: account, at: now)
        let properties = try ResourceCall.object(call.object()["properties"], named: "properties")
        return try store(&share, properties, of: account, status: 200, at: now)
    }

    private mutating func store(
        _ share: inout FileShare, _ properties: JSON, of account: StorageAccount, status: Int, at now: Instant
    ) throws(RefusedRequest) -> Reply {
        if let quota = properties["shareQuota"], !quota.isNull {
            guard case .number(let text) = quota, let number = Int(text), (1...102_400).contains(number) else {
                throw RefusedRequest(
                    400, "InvalidHeaderValue", "The value for one of the HTTP headers is not in the correct format.")
            }
            share.quotaGiB = number
        }
        if let tier = properties["accessTier"]?.string { share.accessTier = tier }
        if let metadata = properties["metadata"]?.members { share.metadata = metadata }
        share.etag = "\"0x8D\(random.hex(13).uppercased())\""
        share.changed = now
        storage.accounts[account.name]?.shares[share.name] = share
        return written(share, .json(status, writtenDocument(of: share, in: account)))
    }

    private func written(_ share: FileShare, _ reply: Reply) -> Reply {
        var reply = reply
        reply.add("ETag", share.etag)
        return reply
    }

    /// 3 to 63 lower-case letters, digits and single hyphens (Azure docs, naming-and-referencing-shares, read 2026-02).
    private static func isShareName(_ name: String) -> Bool {
        (3...63).contains(name.utf8.count) && !name.hasPrefix("-") && !name.hasSuffix("-") && !name.contains("--")
            && name.utf8.allSatisfy {
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                    || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) || $0 == UInt8(ascii: "-")
            }
    }
}
