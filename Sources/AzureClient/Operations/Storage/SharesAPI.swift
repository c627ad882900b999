/// What a controller needs of Azure Files. ``AzureClient`` is the production implementation.
///
/// No call is repeated behind the caller's back.
package protocol SharesAPI: Sendable {
    /// The share, or nil if Azure says that this very share, or its account, does not exist. One read.
    func fileShare(
        _ share: FileShareName, in name: StorageAccountName, correlationID: CorrelationID
    ) async throws(AzureError) -> FileShare?

    /// Creates a share; one that is there stays as it is. One write.
    /// - Throws: with `effectIsUnknown` if Azure may have applied the request.
    func putFileShare(
        _ share: FileShareName, in name: StorageAccountName, quotaGiB: Int?, metadata: [String: String]?,
        correlationID: CorrelationID
    ) async throws(AzureError) -> FileShare

    /// Deletes a share with its files. One delete.
    /// - Throws: with `effectIsUnknown` if Azure may have applied the request.
    func deleteFileShare(
        _ share: FileShareName, in name: StorageAccountName, correlationID: CorrelationID
    ) async throws(AzureError) -> DeleteOutcome

    /// The account's keys, which open everything in it. Counts as a write.
    func storageAccountKeys(
        _ name: StorageAccountName, correlationID: CorrelationID
    ) async throws(AzureError) -> [StorageAccountKey]
}

extension AzureClient: SharesAPI {}
