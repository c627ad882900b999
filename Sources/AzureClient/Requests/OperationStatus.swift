import NIOCore

/// What the body of an answer says about an operation.
enum OperationStatus: Equatable {
    case running
    case succeeded
    /// It ended otherwise.
    case failed(ErrorBody)
    /// JSON (or nothing) that names no state.
    case unsaid
    case unreadable

    /// Only `Succeeded`, `Failed` and `Canceled` are ends, whatever their case, and also `Cancelled`; every other word
    /// means that it still runs (azure-resource-manager-rpc v1.0, read 2026-02). The word stands in `status` of an
    /// operation and in `properties.provisioningState` of a resource.
    init(_ reply: AzureReply) {
        guard !reply.body.readableBytesView.allSatisfy({ $0 == 0x20 || (9...13).contains($0) }) else {
            self = .unsaid
            return
        }
        guard let body = reply.json else {
            self = .unreadable
            return
        }
        let properties = body["properties"]
        guard let word = body["status"]?.string ?? properties?["provisioningState"]?.string else {
            // Microsoft.Web has no provisioning state; this field of its sites is set while one is being changed. Its
            // meaning is a guess from its name (Azure/azure-rest-api-specs, Microsoft.Web 2025-03-01, read 2026-02).
            self = properties?["inProgressOperationId"]?.string == nil ? .unsaid : .running
            return
        }
        switch word.lowercased() {
        case "succeeded": self = .succeeded
        case "failed", "canceled", "cancelled":
            var error = ErrorBody(bytes: reply.body.readableBytesView)
            if error.code == nil, word.lowercased() != "failed" { error.code = "Canceled" }
            self = .failed(error)
        default: self = .running
        }
    }
}

extension AzureReply {
    /// The body as JSON, nil if it is none.
    var json: JSONValue? {
        // The loss is only where the JSON breaks; callers that report it decode the body themselves.
        try? JSONValue(parsing: body.readableBytesView)
    }
}
