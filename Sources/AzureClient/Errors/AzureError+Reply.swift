import NIOCore
import NIOHTTP1

extension AzureError {
    /// The error an unsuccessful reply stands for.
    init(_ reply: AzureReply, to request: AzureRequest, clock: AzureClock) {
        let body = ErrorBody(
            bytes: reply.body.readableBytesView, headerCode: reply.headers.first(name: "x-ms-error-code"))
        var code = ErrorClassification.code(status: reply.status, body: body)
        // A PUT makes what it names, so what is not there is something that it refers to.
        if code == .notFound, request.method == .PUT { code = .scopeNotFound }
        let message = body.message.isEmpty ? "Azure gave no message" : body.message
        self.init(
            code: code, operation: request.operation, resource: request.resource, status: reply.status,
            serviceCode: body.code, innerCode: body.innerCodes.first,
            message: SafeText.blanked(message, secrets: request.secrets),
            correlationID: reply.headers.first(name: "x-ms-correlation-request-id") ?? body.correlationID
                ?? request.correlationID.description,
            requestID: reply.headers.first(name: "x-ms-request-id") ?? reply.requestID.description,
            retryAfter: RetryAfter.duration(reply.headers, unixSeconds: clock.unixSeconds()),
            effectIsUnknown: request.isWrite && Self.leavesDoubt(status: reply.status))
        if reply.status == 401 { claims = reply.claimsChallenge }
    }

    /// The error a successful reply with an unusable body stands for. A write it answered has been applied, but how is
    /// for the next read to find out.
    init(unusable reply: AzureReply, to request: AzureRequest, message: String) {
        self.init(
            code: .malformedReply, operation: request.operation, resource: request.resource, status: reply.status,
            message: message,
            correlationID: reply.headers.first(name: "x-ms-correlation-request-id")
                ?? request.correlationID.description,
            requestID: reply.headers.first(name: "x-ms-request-id") ?? reply.requestID.description,
            effectIsUnknown: request.isWrite)
    }

    /// A refusal (4xx) was not applied. A failure behind the front end, a time-out or a stray redirect may hide one
    /// that was; "not implemented" may not.
    private static func leavesDoubt(status: Int) -> Bool {
        switch status {
        case 408: true
        case 400..<500, 501: false
        default: true
        }
    }
}
