/// A storage account as Microsoft.Storage's management plane keeps it.
/// Its states: being created → there, at `readyAt`. While it is being created it is not found, but its name is taken.
struct StorageAccount: Sendable, Codable {
    var name: String
    /// In the case in which it was last sent.
    var group: String
    /// The region's name.
    var location: String
    var kind: String
    var skuName: String
    var tags: [JSON.Member] = []
    var identity: JSON?
    /// Members of `properties` that the client sent and that stand in replies as they are.
    var properties: [JSON.Member] = []
    var keys: [StorageKey]
    var created: Instant
    var changed: Instant
    /// Nil once it is there.
    var readyAt: Instant?
    /// By name.
    var shares: [String: FileShare] = [:]

    /// `Standard` or `Premium`, the first word of the SKU.
    var skuTier: String { String(skuName.prefix { $0 != "_" }) }
}

/// One of an account's two keys: 64 random bytes in base 64. It never prints.
struct StorageKey: Sendable, Codable, CustomStringConvertible {
    /// `key1` or `key2`.
    var name: String
    var value: String
    var created: Instant

    /// Drawn from the World's seed.
    init(_ name: String, from random: inout SeededGenerator, at now: Instant) {
        self.name = name
        var bytes: [UInt8] = []
        for _ in 0..<8 { withUnsafeBytes(of: random.next().littleEndian) { bytes.append(contentsOf: $0) } }
        value = Base64.encode(bytes)
        created = now
    }

    var description: String { "\(name)=<redacted>" }
}

/// A share of Azure Files.
struct FileShare: Sendable, Codable {
    var name: String
    var quotaGiB: Int
    var accessTier: String
    /// `SMB` or `NFS`.
    var protocols: String
    var metadata: [JSON.Member]
    var etag: String
    var changed: Instant
}

/// Every storage account, and the operations that create them.
struct StorageState: Sendable, Codable {
    struct Creation: Sendable, Codable {
        var account: String
        var endsAt: Instant
    }

    /// By name: names are in lower case and one namespace over all of Azure.
    var accounts: [String: StorageAccount] = [:]
    /// By the operation's id.
    var creations: [String: Creation] = [:]

    /// Ends the creations whose time has come, and forgets operations that ended a day ago.
    /// - Returns: the accounts that are there from now on, in the order of their names.
    mutating func settle(at now: Instant) -> [StorageAccount] {
        guard !creations.isEmpty else { return [] }
        var ready: [StorageAccount] = []
        for name in creations.values.filter({ $0.endsAt <= now }).map(\.account).sorted() {
            guard let end = accounts[name]?.readyAt, end <= now else { continue }
            accounts[name]?.readyAt = nil
            if let account = accounts[name] { ready.append(account) }
        }
        creations = creations.filter { $0.value.endsAt + SubscriptionState.operationLife > now }
        return ready
    }

    /// The account if it is there and in this group; the case of both names does not matter.
    func account(_ name: String, group: String) -> StorageAccount? {
        guard let account = accounts[name.lowercased()], account.readyAt == nil,
            account.group.lowercased() == group.lowercased()
        else { return nil }
        return account
    }
}

/// Base 64 with padding (RFC 4648 §4).
enum Base64 {
    static func encode(_ bytes: [UInt8]) -> String {
        let text = Base64URL.encode(bytes).replacing("-", with: "+").replacing("_", with: "/")
        return text + String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
    }
}
