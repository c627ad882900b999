import FoundationEssentials
import NIOCore
import NIOHTTP1

/// How requests to Azure Resource Manager are written and its replies read, for all resource types.
extension AzureClient {
    /// A request about a resource or collection. `suffix` is an action below it.
    func request(
        _ operation: AzureOperation, _ method: HTTPMethod, _ resource: ResourceID, suffix: String = "",
        query: [(name: String, value: String)] = [], apiVersion: String, isWrite: Bool = false,
        correlationID: CorrelationID
    ) -> AzureRequest {
        AzureRequest(
            operation: operation, resource: resource.description, method: method,
            url: environment.resourceManager.url(
                escapedPath: resource.escapedPath + suffix, query: query + [("api-version", apiVersion)]),
            headers: ["accept": "application/json"], isWrite: isWrite, correlationID: correlationID,
            timeout: isWrite ? limits.write : limits.read)
    }

    func decoded<Value: Decodable>(
        _ type: Value.Type, from reply: AzureReply, to request: AzureRequest
    ) throws(AzureError) -> Value {
        do {
            return try JSONValue(parsing: reply.body.readableBytesView).decoded(as: type)
        } catch {
            throw AzureError(unusable: reply, to: request, message: "unreadable answer: \(Self.reason(error))")
        }
    }

    /// JSON with sorted keys, so that equal requests have equal bytes.
    static func encoded(_ body: some Encodable, for request: AzureRequest) throws(AzureError) -> ByteBuffer {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return ByteBuffer(bytes: try encoder.encode(body))
        } catch {
            throw AzureError(
                code: .invalid, operation: request.operation, resource: request.resource,
                message: "the request cannot be written as JSON: \(Self.reason(error))",
                correlationID: request.correlationID.description)
        }
    }

    /// Where the decoding stopped, without the content it stopped at.
    private static func reason(_ error: any Error) -> String {
        func place(_ path: [any CodingKey]) -> String {
            path.isEmpty ? "the top" : path.map(\.stringValue).joined(separator: ".")
        }
        return switch error {
        case DecodingError.keyNotFound(let key, let context): "no \(key.stringValue) at \(place(context.codingPath))"
        case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context):
            "another type than expected at \(place(context.codingPath))"
        case DecodingError.dataCorrupted(let context) where !context.codingPath.isEmpty:
            "a value that cannot be at \(place(context.codingPath))"
        case let error as JSONSyntaxError: "not JSON, \(error.reason.rawValue) at byte \(error.offset)"
        default: "not JSON"
        }
    }
}
