import Testing

@testable import AzureClient

@Suite struct DispositionTests {
    static let waiting: [AzureError.Code] = [
        .notFound, .scopeNotFound, .unauthorized, .forbidden, .missingRegistration, .locked, .quotaExceeded,
    ]
    static let stopping: [AzureError.Code] = [.nameTaken, .invalid, .policyDenied, .other]

    static func expected(_ code: AzureError.Code) -> Disposition {
        if code == .cancelled { return .cancelled }
        if waiting.contains(code) { return .waitForChange }
        if stopping.contains(code) { return .stop(conditionReason: code.rawValue) }
        return .retryAfter(code == .conflictBusy ? .seconds(10) : nil)
    }

    @Test(arguments: AzureError.Code.allCases) func `each kind of failure has one disposition`(_ code: AzureError.Code)
    {
        let error = AzureError(code: code, operation: .putSite, resource: "r", message: "m")
        #expect(Disposition(error) == Self.expected(code))
        var doubtful = error
        doubtful.effectIsUnknown = true
        #expect(Disposition(doubtful) == (code == .cancelled ? .cancelled : .outcomeUnknown))
    }

    @Test(arguments: [AzureError.Code.throttled, .conflictBusy, .serverFault]) func `the wait Azure names is kept`(
        _ code: AzureError.Code
    ) {
        let error = AzureError(
            code: code, operation: .getSite, resource: "r", message: "m", retryAfter: .seconds(372))
        #expect(Disposition(error) == .retryAfter(.seconds(372)))
    }
}
