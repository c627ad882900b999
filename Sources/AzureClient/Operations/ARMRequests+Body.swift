import NIOCore
import NIOHTTP1

extension AzureClient {
    /// A request that carries a JSON body.
    /// - Parameters:
    ///   - isWrite: false for a POST that only reads.
    ///   - secrets: what of the body must not come back in a message.
    func request(
        _ operation: AzureOperation, _ method: HTTPMethod, _ resource: ResourceID, suffix: String = "",
        apiVersion: String, body: some Encodable, isWrite: Bool = true, secrets: [Secret] = [],
        correlationID: CorrelationID
    ) throws(AzureError) -> AzureRequest {
        var request = request(
            operation, method, resource, suffix: suffix, apiVersion: apiVersion, isWrite: isWrite,
            correlationID: correlationID)
        request.headers.add(name: "content-type", value: "application/json")
        request.body = try Self.encoded(body, for: request)
        request.secrets = secrets
        return request
    }

    /// The answer to a GET as a value, nil if Azure says that the resource itself does not exist.
    func read<Document: ResourceDocument>(
        _ type: Document.Type, _ get: AzureRequest
    ) async throws(AzureError) -> Document.Value? {
        guard let reply = try await found(get) else { return nil }
        return try value(type, reply, get)
    }

    /// A reply's body as a value.
    /// - Throws: `malformedReply` if it is not about a resource.
    func value<Document: ResourceDocument>(
        _ type: Document.Type, _ reply: AzureReply, _ request: AzureRequest
    ) throws(AzureError) -> Document.Value {
        guard let value = try decoded(type, from: reply, to: request).value else {
            throw AzureError(unusable: reply, to: request, message: "the answer has no resource id")
        }
        return value
    }

    /// Every element of a list, or an error: never a part. No more than one page is in memory beside the result.
    /// - Parameter keeping: what of an element is kept.
    func list<Document: ResourceDocument & Sendable>(
        _ type: Document.Type, _ get: AzureRequest, keeping: (Document.Value) -> Document.Value = { $0 }
    ) async throws(AzureError) -> [Document.Value] {
        var values: [Document.Value] = []
        var pages = pages(of: type, get).makeAsyncIterator()
        while let page = try await pages.next() {
            for document in page {
                guard let value = document.value else {
                    throw AzureError(
                        code: .malformedReply, operation: get.operation, resource: get.resource,
                        message: "a listed resource has no resource id", correlationID: get.correlationID.description)
                }
                values.append(keeping(value))
            }
        }
        return values
    }

    /// Deletes a resource for which Azure needs no long-running operation.
    func delete(_ request: AzureRequest) async throws(AzureError) -> DeleteOutcome {
        guard let reply = try await found(request) else { return .absent }
        return reply.status == 204 ? .absent : .deleted
    }
}

/// A resource as JSON in Azure's replies.
protocol ResourceDocument: Decodable {
    associatedtype Value
    /// Nil if the id is no resource id: then nothing in the document can be trusted to be about a resource.
    var value: Value? { get }
}

extension AzureScope {
    /// A path below the subscription.
    func inSubscription(_ segments: String...) -> ResourceID {
        ResourceID(unchecked: Array(group.segments.prefix(2)) + segments)
    }

    /// A path below the resource group.
    func inGroup(_ segments: String...) -> ResourceID {
        ResourceID(unchecked: group.segments + segments)
    }
}
