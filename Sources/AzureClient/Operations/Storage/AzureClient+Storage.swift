import NIOCore
import NIOHTTP1

/// Storage accounts and file shares, through the management plane.
extension AzureClient {
    /// The version of Microsoft.Storage whose published examples the documents here follow.
    static let storageVersion = "2023-01-01"

    private static let accountsPath = ["providers", "Microsoft.Storage", "storageAccounts"]

    /// The id an account of that name has in this client's group.
    private func accountID(_ name: StorageAccountName) -> ResourceID {
        ResourceID(unchecked: scope.group.segments + Self.accountsPath + [name.rawValue])
    }

    private func account(
        _ operation: AzureOperation, _ method: HTTPMethod, _ name: StorageAccountName, suffix: String = "",
        isWrite: Bool = false, correlationID: CorrelationID
    ) -> AzureRequest {
        request(
            operation, method, accountID(name), suffix: suffix, apiVersion: Self.storageVersion, isWrite: isWrite,
            correlationID: correlationID)
    }

    /// The account, or nil if Azure says that this very account does not exist, which it also says while it is being
    /// made. One read.
    package func storageAccount(
        _ name: StorageAccountName, correlationID: CorrelationID
    ) async throws(AzureError) -> StorageAccount? {
        try await read(
            StorageAccountDocument.self, account(.getStorageAccount, .GET, name, correlationID: correlationID))
    }

    /// Every account of the group. One read per page.
    package func listStorageAccounts(correlationID: CorrelationID) async throws(AzureError) -> [StorageAccount] {
        let get = request(
            .listStorageAccounts, .GET, ResourceID(unchecked: scope.group.segments + Self.accountsPath),
            apiVersion: Self.storageVersion, correlationID: correlationID)
        return try await list(StorageAccountDocument.self, get)
    }

    /// Begins to create or update an account, which takes Azure some 20 s. One write. To be followed with
    /// ``poll(_:correlationID:)``; one-shot callers use ``createStorageAccount(_:_:correlationID:)``.
    /// - Throws: `nameTaken` if somebody else has the name; with `effectIsUnknown` if Azure may have applied the request.
    package func putStorageAccount(
        _ name: StorageAccountName, _ account: StorageAccountRequest, correlationID: CorrelationID
    ) async throws(AzureError) -> LongRunningOperation.Step {
        let put = try request(
            .putStorageAccount, .PUT, accountID(name), apiVersion: Self.storageVersion,
            body: StorageAccountBody(account), correlationID: correlationID)
        return try await begin(put)
    }

    /// Creates or updates an account and waits until it is there.
    package func createStorageAccount(
        _ name: StorageAccountName, _ account: StorageAccountRequest, correlationID: CorrelationID
    ) async throws(AzureError) -> StorageAccount {
        let step = try await putStorageAccount(name, account, correlationID: correlationID)
        let result = try await finish(step, correlationID: correlationID)
        let get = self.account(.getStorageAccount, .GET, name, correlationID: correlationID)
        if let reply = result.reply, reply.status == 200 {
            return try value(StorageAccountDocument.self, reply, get)
        }
        // An end without a body: the account itself tells.
        let reply = try await call(get)
        return try value(StorageAccountDocument.self, reply, get)
    }

    /// Deletes an account with everything in it. One delete.
    package func deleteStorageAccount(
        _ name: StorageAccountName, correlationID: CorrelationID
    ) async throws(AzureError) -> DeleteOutcome {
        try await delete(
            account(.deleteStorageAccount, .DELETE, name, isWrite: true, correlationID: correlationID))
    }

    /// The account's keys. They open everything in it and are never shown. Counts as a write, though it changes nothing.
    /// - Throws: `notFound` if there is no such account.
    package func storageAccountKeys(
        _ name: StorageAccountName, correlationID: CorrelationID
    ) async throws(AzureError) -> [StorageAccountKey] {
        let post = account(.listStorageKeys, .POST, name, suffix: "/listKeys", correlationID: correlationID)
        return try decoded(StorageKeysDocument.self, from: try await call(post), to: post).values
    }

    /// Whether an account of this name could be made.
    package func storageNameAvailability(
        _ name: String, correlationID: CorrelationID
    ) async throws(AzureError) -> NameAvailability {
        try await nameAvailability(
            .checkStorageName, name, provider: "Microsoft.Storage", action: "checkNameAvailability",
            type: "Microsoft.Storage/storageAccounts", apiVersion: Self.storageVersion, correlationID: correlationID)
    }

    // MARK: Shares

    private static let sharesPath = "/fileServices/default/shares"

    /// The share, or nil if Azure says that this very share, or its account, does not exist. One read.
    package func fileShare(
        _ share: FileShareName, in name: StorageAccountName, correlationID: CorrelationID
    ) async throws(AzureError) -> FileShare? {
        try await read(
            FileShareDocument.self,
            account(
                .getFileShare, .GET, name, suffix: "\(Self.sharesPath)/\(share)", correlationID: correlationID))
    }

    /// Creates a share; one that is there stays as it is. One write.
    /// - Parameter quotaGiB: 1 to 102,400; nil leaves Azure's default.
    /// - Throws: `scopeNotFound` if there is no such account.
    package func putFileShare(
        _ share: FileShareName, in name: StorageAccountName, quotaGiB: Int? = nil, metadata: [String: String]? = nil,
        correlationID: CorrelationID
    ) async throws(AzureError) -> FileShare {
        let put = try request(
            .putFileShare, .PUT, accountID(name), suffix: "\(Self.sharesPath)/\(share)",
            apiVersion: Self.storageVersion,
            body: FileShareBody(properties: .init(shareQuota: quotaGiB, metadata: metadata)),
            correlationID: correlationID)
        return try value(FileShareDocument.self, try await call(put), put)
    }

    /// Every share of an account. One read per page.
    package func listFileShares(
        in name: StorageAccountName, correlationID: CorrelationID
    ) async throws(AzureError) -> [FileShare] {
        try await list(
            FileShareDocument.self,
            account(.listFileShares, .GET, name, suffix: Self.sharesPath, correlationID: correlationID))
    }

    /// Deletes a share with its files. One delete.
    package func deleteFileShare(
        _ share: FileShareName, in name: StorageAccountName, correlationID: CorrelationID
    ) async throws(AzureError) -> DeleteOutcome {
        try await delete(
            account(
                .deleteFileShare, .DELETE, name, suffix: "\(Self.sharesPath)/\(share)", isWrite: true,
                correlationID: correlationID))
    }
}
