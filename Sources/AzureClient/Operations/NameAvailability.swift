import NIOHTTP1

/// Whether a resource whose name is unique in all of Azure could be made now, by anybody. Another may be faster.
package struct NameAvailability: Sendable, Hashable {
    package var isAvailable: Bool
    /// `Invalid`, `AlreadyExists`, `AccountNameInvalid` or a later word; nil if the name is free.
    package var reason: String?
    package var message: String?
}

extension AzureClient {
    /// Asks a provider whether a name is free. A POST that changes nothing.
    /// - Parameters:
    ///   - action: the last segment, in the provider's own spelling.
    ///   - type: what the name would be of, such as `Microsoft.Web/sites`.
    func nameAvailability(
        _ operation: AzureOperation, _ name: String, provider: String, action: String, type: String,
        apiVersion: String, correlationID: CorrelationID
    ) async throws(AzureError) -> NameAvailability {
        let post = try request(
            operation, .POST, scope.inSubscription("providers", provider, action), apiVersion: apiVersion,
            body: NameCheckBody(name: name, type: type), isWrite: false, correlationID: correlationID)
        let answer = try decoded(NameCheckDocument.self, from: try await call(post), to: post)
        return NameAvailability(
            isAvailable: answer.nameAvailable, reason: answer.reason.flatMap { $0.isEmpty ? nil : $0 },
            message: answer.message.flatMap { $0.isEmpty ? nil : $0 })
    }
}

/// What is asked of a name check.
private struct NameCheckBody: Encodable {
    let name: String
    let type: String
}

/// What a name check answers.
private struct NameCheckDocument: Decodable {
    let nameAvailable: Bool
    let reason: String?
    let message: String?
}
