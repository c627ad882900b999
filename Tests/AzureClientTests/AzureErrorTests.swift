import NIOHTTP1
import Testing

@testable import AzureClient

@Suite struct AzureErrorTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let status: Int
        let body: String
        let code: AzureError.Code
        /// Whether the same reply to a write leaves its effect in doubt.
        var doubt = false
        var testDescription: String { "\(status) \(code.rawValue): \(body.prefix(60))" }
    }

    static func arm(_ code: String, _ message: String = "m") -> String {
        #"{"error":{"code":"\#(code)","message":"\#(message)"}}"#
    }

    static func web(_ extended: String, _ message: String = "m") -> String {
        #"{"Code":"Conflict","Message":"\#(message)","Details":[{"ErrorEntity":{"ExtendedCode":"\#(extended)"}}]}"#
    }

    static let cases = [
        Case(status: 404, body: arm("ResourceNotFound"), code: .notFound),
        Case(status: 404, body: #"{"Code":"NotFound","Message":"Cannot find x."}"#, code: .notFound),
        Case(status: 404, body: arm("ResourceGroupNotFound"), code: .scopeNotFound),
        Case(status: 404, body: arm("SubscriptionNotFound"), code: .scopeNotFound),
        Case(status: 404, body: arm("InvalidResourceType"), code: .invalid),
        Case(status: 404, body: arm("SomethingElse"), code: .other),
        Case(status: 404, body: "<html><title>404</title></html>", code: .malformedReply),
        Case(status: 404, body: "", code: .malformedReply),
        Case(status: 409, body: web("59202"), code: .conflictBusy),
        Case(status: 409, body: web("59203"), code: .conflictBusy),
        Case(status: 409, body: web("59205"), code: .conflictBusy),
        Case(status: 429, body: web("59203"), code: .conflictBusy),
        Case(status: 409, body: arm("AnotherOperationInProgress"), code: .conflictBusy),
        Case(
            status: 409, body: arm("Conflict", "Cannot modify this site because another operation is in progress."),
            code: .conflictBusy),
        Case(
            status: 409, body: #"{"Code":"Conflict","Message":"Website with given name x already exists."}"#,
            code: .nameTaken),
        Case(status: 409, body: web("54001"), code: .nameTaken),
        Case(
            status: 409,
            body: arm(
                "Conflict",
                "Request specified that resource 'r' is new, but resource already exists. This may be due to a pending delete operation, try again later."
            ), code: .pendingDelete),
        Case(status: 409, body: arm("Conflict"), code: .conflict),
        Case(status: 409, body: arm("MissingSubscriptionRegistration"), code: .missingRegistration),
        Case(status: 409, body: arm("ScopeLocked"), code: .locked),
        Case(status: 409, body: arm("ResourceNotFound"), code: .conflict),
        Case(status: 409, body: arm("RoleAssignmentExists"), code: .conflict),
        Case(status: 409, body: arm("ContainerAppsJobOperationInProgress"), code: .conflictBusy),
        Case(status: 409, body: arm("ResourceGroupBeingDeleted"), code: .pendingDelete),
        Case(status: 409, body: arm("ConcurrentUpdateError"), code: .conflictBusy),
        Case(status: 409, body: arm("DeploymentActive"), code: .conflictBusy),
        Case(status: 409, body: arm("StorageAccountAlreadyTaken"), code: .nameTaken),
        Case(status: 429, body: arm("RetryableErrorDueToAnotherOperation"), code: .conflictBusy),
        Case(status: 429, body: arm("ResourceRequestsThrottled"), code: .throttled),
        Case(status: 400, body: arm("PrincipalNotFound"), code: .scopeNotFound),
        Case(status: 400, body: arm("NoRegisteredProviderFound"), code: .invalid),
        Case(status: 403, body: arm("LinkedAuthorizationFailed"), code: .forbidden),
        Case(status: 403, body: arm("InvalidAuthenticationTokenAudience"), code: .unauthorized),
        Case(status: 403, body: "<html><h1>This web app is stopped.</h1></html>", code: .forbidden),
        Case(
            status: 409,
            body:
                #"{"error":{"code":"DeploymentFailed","message":"m","details":[{"code":"Conflict","message":"{\"error\":{\"code\":\"MissingSubscriptionRegistration\",\"message\":\"m\"}}"}]}}"#,
            code: .missingRegistration),
        Case(status: 412, body: "", code: .conflict),
        Case(status: 429, body: arm("TooManyRequests"), code: .throttled),
        Case(status: 429, body: web("51025"), code: .throttled),
        Case(status: 429, body: "", code: .throttled),
        Case(status: 401, body: arm("ExpiredAuthenticationToken"), code: .unauthorized),
        Case(status: 400, body: #"{"error":"unauthorized_client","error_codes":[700016]}"#, code: .unauthorized),
        Case(status: 400, body: #"{"error":"invalid_request","error_codes":[90002]}"#, code: .unauthorized),
        Case(status: 400, body: #"{"error":"invalid_scope","error_codes":[70011]}"#, code: .invalid),
        Case(status: 403, body: arm("AuthorizationFailed"), code: .forbidden),
        Case(status: 403, body: "", code: .forbidden),
        Case(status: 403, body: arm("RequestDisallowedByPolicy"), code: .policyDenied),
        Case(status: 403, body: arm("SubscriptionNotRegistered"), code: .missingRegistration),
        Case(status: 403, body: arm("QuotaExceeded"), code: .quotaExceeded),
        Case(status: 400, body: arm("LocationNotAvailableForResourceType"), code: .invalid),
        Case(status: 405, body: "", code: .invalid),
        Case(status: 408, body: "", code: .timedOut, doubt: true),
        Case(status: 500, body: arm("ResourceNotFound"), code: .serverFault, doubt: true),
        Case(status: 502, body: "<html>", code: .serverFault, doubt: true),
        Case(status: 503, body: "", code: .serverFault, doubt: true),
        Case(status: 504, body: arm("GatewayTimeout"), code: .timedOut, doubt: true),
        Case(status: 501, body: "", code: .other),
        Case(status: 302, body: "", code: .malformedReply, doubt: true),
    ]

    @Test(arguments: cases) func `a reply is told by its codes and status`(_ sample: Case) {
        let reply = AzureReply.json(sample.status, sample.body)
        let read = AzureError(reply, to: Sample.request(), clock: .system)
        #expect(read.code == sample.code)
        #expect(!read.effectIsUnknown)
        let write = AzureError(reply, to: Sample.request(isWrite: true), clock: .system)
        #expect(write.code == (sample.code == .notFound ? .scopeNotFound : sample.code))
        #expect(write.effectIsUnknown == sample.doubt)
    }

    @Test func `an error carries what has to be quoted to support`() {
        let reply = AzureReply.json(
            409, Self.web("59203", "busy"),
            headers: [
                "x-ms-correlation-request-id": "c-1", "x-ms-request-id": "r-1", "retry-after": "7",
            ])
        let error = AzureError(reply, to: Sample.request(isWrite: true), clock: .system)
        #expect(
            error
                == AzureError(
                    code: .conflictBusy, operation: .putSite, resource: "sample", status: 409, serviceCode: "Conflict",
                    innerCode: "59203", message: "busy", correlationID: "c-1", requestID: "r-1",
                    retryAfter: .seconds(7)))
        #expect(
            "\(error)"
                == "sites.put sample: OperationInProgress (HTTP 409, Conflict, 59203): busy [correlation c-1, request r-1]"
        )
    }

    @Test func `a secret that a reply echoes is blanked`() {
        let reply = AzureReply.json(400, Self.arm("Bad", "value 'hunter-22' is wrong: hunter-22"))
        let error = AzureError(reply, to: Sample.request(secrets: [Secret("hunter-22"), Secret("is")]), clock: .system)
        #expect(error.message == "value '<redacted>' is wrong: <redacted>")
    }

    @Test func `a secret that holds another one is blanked as a whole`() {
        let reply = AzureReply.json(400, Self.arm("Bad", "AccountName=example;AccountKey=hunter-22 is wrong"))
        let secrets = [Secret("example"), Secret("AccountName=example;AccountKey=hunter-22")]
        for secrets in [secrets, secrets.reversed()] {
            let error = AzureError(reply, to: Sample.request(secrets: secrets), clock: .system)
            #expect(error.message == "<redacted> is wrong")
        }
    }

    @Test func `text from the wire is bounded and cannot steer a terminal`() {
        let error = AzureError(
            code: .other, operation: .getSite, resource: "a\u{1B}[2J",
            message: "x\r\n\u{202E}" + String(repeating: "y", count: 5000),
            correlationID: "\u{7}")
        #expect(error.resource == "a\\u{1b}[2J")
        #expect(error.correlationID == "\\u{7}")
        #expect(error.message.hasPrefix("x\\u{d}\\u{a}\\u{202e}yyy"))
        #expect(error.message.hasSuffix("…"))
        #expect(error.message.count < 1100)
    }

    @Test func `a secret prints in no way`() {
        let secret = Secret("canary-value")
        var dumped = ""
        dump(SiteRequest.Setting(name: "A", value: secret), to: &dumped)
        let texts = ["\(secret)", String(describing: [secret]), String(reflecting: secret), dumped]
        for text in texts { #expect(!text.contains("canary-value")) }
    }
}
