import FoundationEssentials
import NIOHTTP1
import Testing

@testable import AzureClient

/// The event machine by script: each line is an answer and what has to follow.
@Suite struct LongRunningOperationTests {
    static let site = "https://management.example/subscriptions/s/resourceGroups/g/providers/Microsoft.Web/sites/a"
    static let status = "https://management.example/subscriptions/s/providers/Microsoft.Web/operationResults/1"
    static let signed = status + "?api-version=2025-03-01&t=638&c=MII%2B&s=abc%3D&h=xyz"

    func request(_ method: HTTPMethod = .PUT, _ suffix: String = "?api-version=2025-03-01") -> AzureRequest {
        var request = Sample.request(isWrite: true)
        request.method = method
        request.url = Self.site + suffix
        return request
    }

    func start(
        _ reply: AzureReply, _ method: HTTPMethod = .PUT, finalState: LongRunningOperation.FinalState? = nil
    ) throws -> LongRunningOperation.Step {
        LongRunningOperation.started(
            by: reply, to: request(method), finalState: finalState,
            service: try ServiceURL("https://management.example"), now: 0)
    }

    /// A short word for what is to be done.
    func word(_ step: LongRunningOperation.Step) -> String {
        switch step.next {
        case .pollAfter(let wait):
            let stage =
                switch step.operation.stage {
                case .status: "status"
                case .location: "location"
                case .resource: "resource"
                case .final: "final"
                }
            return "\(stage) in \(wait.components.seconds)" + (step.operation.isConfirmed ? "" : ", unconfirmed")
        case .done(let result): return result.isConfirmed ? "done" : "done, unconfirmed"
        case .failed(let error): return error.code.rawValue + (error.effectIsUnknown ? ", unknown" : "")
        }
    }

    /// Plays answers one after the other and gives what follows each of them.
    func play(
        _ first: LongRunningOperation.Step, _ answers: [Result<AzureReply, AzureError>], secondsApart: Int64 = 10
    ) throws -> [String] {
        let service = try ServiceURL("https://management.example")
        var step = first
        var words = [word(first)]
        for (index, answer) in answers.enumerated() {
            step = step.operation.step(answer, service: service, now: Int64(index) * secondsApart)
            words.append(word(step))
        }
        return words
    }

    func error(_ code: AzureError.Code, _ status: Int?, retryAfter: Duration? = nil) -> Result<AzureReply, AzureError> {
        .failure(
            AzureError(
                code: code, operation: .putSite, resource: "r", status: status, message: "m", retryAfter: retryAfter))
    }

    func reply(_ status: Int, _ body: String = "", _ headers: HTTPHeaders = [:]) -> Result<AzureReply, AzureError> {
        .success(.json(status, body, headers: headers))
    }

    // MARK: What begins one

    @Test func `the headers win in their order, then the body`() throws {
        let all: HTTPHeaders = [
            "location": Self.site + "/operationresults/3", "azure-asyncoperation": Self.site + "/operations/2",
            "operation-location": Self.site + "/operations/1",
        ]
        var fewer = all
        #expect(try start(.json(202, "", headers: all)).operation.nextLink.text.hasSuffix("operations/1"))
        fewer.remove(name: "operation-location")
        #expect(try start(.json(201, "{}", headers: fewer)).operation.nextLink.text.hasSuffix("operations/2"))
        fewer.remove(name: "azure-asyncoperation")
        #expect(try start(.json(202, "", headers: fewer)).operation.nextLink.text.hasSuffix("operationresults/3"))
        // Beside 201 a location is the address of what was made.
        #expect(try word(start(.json(201, "{}", headers: fewer))) == "done")
        let running = #"{"properties":{"provisioningState":"Creating"}}"#
        #expect(try word(start(.json(201, running, headers: fewer))) == "resource in 10")
        #expect(try word(start(.json(200, #"{"properties":{"provisioningState":"SUCCEEDED"}}"#))) == "done")
        #expect(try word(start(.json(200, #"{"properties":{"provisioningState":"Failed"}}"#))) == "ServerFault")
        #expect(try word(start(.json(200, "{}"))) == "done")
        #expect(try word(start(.json(202, ""))) == "resource in 10, unconfirmed")
        #expect(try word(start(.json(200, ""), .POST)) == "done")
        #expect(try word(start(.json(204, ""), .DELETE)) == "done")
        #expect(try word(start(.json(202, "", headers: all), .DELETE)) == "resource in 10")
    }

    @Test(arguments: [("0", 1), ("1", 1), ("17", 17), ("600", 600), ("99999", 600)])
    func `the wait that Azure names is kept within bounds`(_ named: String, _ seconds: Int) throws {
        let step = try start(.json(202, "", headers: ["location": Self.status, "retry-after": named]))
        #expect(word(step) == "location in \(seconds)")
    }

    @Test(arguments: [
        "https://evil.example/x", "http://management.example/x", "https://management.example:8443/x",
        "https://management.example@evil.example/x", "//evil.example/x", "https://user:p@management.example/x",
        "file:///etc/passwd", "", "x",
    ]) func `our token goes to no other host`(_ link: String) throws {
        for header in ["operation-location", "azure-asyncoperation", "location"] {
            #expect(try word(start(.json(202, "", headers: [header: link]))) == "resource in 10, unconfirmed")
            let post = try start(.json(202, "", headers: [header: link]), .POST)
            #expect(word(post) == "Conflict, unknown")
        }
    }

    @Test func `a path alone is on the host that named it, and the resource's own path means the resource`() throws {
        let relative = try start(.json(202, "", headers: ["location": "/subscriptions/s/operationresults/1?s=%2B"]))
        #expect(
            relative.operation.nextLink.text
                == "https://management.example/subscriptions/s/operationresults/1?s=%2B")
        let own = try start(
            .json(202, "", headers: ["azure-asyncoperation": Self.site.uppercased() + "?api-version=1"]))
        #expect(own.operation.stage == .resource && own.operation.isConfirmed)
    }

    @Test func `only the API version of the write stands behind the resource's address`() {
        let link = OperationLink.resource(writtenBy: Self.site + "?deleteMetrics=false&api-version=2025-03-01&x=1")
        #expect(link.text == Self.site + "?api-version=2025-03-01")
        #expect(OperationLink.resource(writtenBy: Self.site).text == Self.site)
    }

    // MARK: How it goes on

    @Test(arguments: ["Succeeded", "succeeded", "SUCCEEDED"]) func `a status is followed and the result read`(
        _ end: String
    ) throws {
        let first = try start(.json(202, "", headers: ["azure-asyncoperation": Self.status, "retry-after": "5"]))
        let words = try play(
            first,
            [
                reply(200, #"{"status":"InProgress"}"#, ["retry-after": "7"]), reply(202),
                reply(200, #"{"status":"Accepting"}"#), reply(200, #"{"status":"\#(end)"}"#), reply(200, "{}"),
            ])
        #expect(words == ["status in 5", "status in 7", "status in 10", "status in 10", "final in 0", "done"])
    }

    @Test(arguments: ["Failed", "canceled", "Cancelled"]) func `an operation that failed says why`(_ end: String) throws
    {
        let first = try start(.json(202, "", headers: ["azure-asyncoperation": Self.status]))
        let named = #"{"status":"\#(end)","error":{"code":"QuotaExceeded","message":"no cores"}}"#
        #expect(try play(first, [reply(200, named)]).last == "QuotaExceeded")
        let unnamed = #"{"status":"\#(end)","error":{"message":"only text"}}"#
        #expect(try play(first, [reply(200, unnamed)]).last == (end == "Failed" ? "ServerFault" : "Other"))
        let missing = #"{"status":"\#(end)","error":{"code":"ResourceNotFound","message":"plan"}}"#
        #expect(try play(first, [reply(200, missing)]).last == "ScopeNotFound")
    }

    @Test func `a location answers 202 and then the result itself`() throws {
        let first = try start(.json(202, "", headers: ["location": Self.status]), .POST)
        let moved = Self.status + "-moved"
        let words = try play(
            first, [reply(202, "", ["location": moved, "retry-after": "2"]), reply(200, #"{"a":1}"#)])
        #expect(words == ["location in 10", "location in 2", "done"])
        let step = first.operation.step(
            reply(202, "", ["location": moved]), service: try ServiceURL("https://management.example"), now: 0)
        #expect(step.operation.nextLink.text == moved)
        let stray = first.operation.step(
            reply(202, "", ["location": "https://evil.example/"]),
            service: try ServiceURL("https://management.example"),
            now: 0)
        #expect(stray.operation.nextLink.text == Self.status)
        #expect(try play(first, [reply(204)]).last == "done")
        let put = try start(.json(202, "", headers: ["location": Self.status]))
        #expect(try play(put, [reply(200), reply(200, "{}")]) == ["location in 10", "final in 0", "done"])
        let early = #"{"properties":{"provisioningState":"Updating"}}"#
        #expect(try play(put, [reply(200, early), reply(200, "{}")]) == ["location in 10", "location in 10", "done"])
    }

    @Test func `an action's result is at its location`() throws {
        let headers: HTTPHeaders = ["azure-asyncoperation": Self.status, "location": Self.status + "-result"]
        let first = try start(.json(202, "", headers: headers), .POST)
        let service = try ServiceURL("https://management.example")
        let step = first.operation.step(reply(200, #"{"status":"Succeeded"}"#), service: service, now: 0)
        #expect(step.operation.nextLink.text == Self.status + "-result")
        let other = try start(.json(202, "", headers: headers), .POST, finalState: .operation)
        #expect(try play(other, [reply(200, #"{"status":"Succeeded"}"#)]).last == "done")
    }

    @Test func `a deletion ends when the resource is gone and for no other reason`() throws {
        let first = try start(.json(202, "", headers: ["azure-asyncoperation": Self.status]), .DELETE)
        let groupGone = AzureError(
            code: .scopeNotFound, operation: .deleteSite, resource: "r", status: 404,
            serviceCode: "ResourceGroupNotFound", message: "m")
        let words = try play(
            first,
            [
                reply(200, #"{"properties":{"provisioningState":"Succeeded"}}"#), error(.malformedReply, 404),
                error(.scopeNotFound, 404), error(.serverFault, 500), error(.notFound, 404),
            ])
        #expect(words.dropFirst().dropLast().allSatisfy { $0.hasPrefix("resource in") } && words.last == "done")
        #expect(try play(first, [.failure(groupGone)]).last == "done")
    }

    // MARK: Statuses that cannot be read

    @Test func `a forbidden address is given up for the resource`() throws {
        let first = try start(.json(202, "", headers: ["azure-asyncoperation": Self.status]))
        let words = try play(
            first,
            [
                error(.forbidden, 403), error(.notFound, 404), reply(204),
                reply(200, #"{"properties":{"inProgressOperationId":"1"}}"#),
                reply(200, #"{"properties":{"inProgressOperationId":null}}"#),
            ])
        #expect(
            words == [
                "status in 10", "resource in 1, unconfirmed", "resource in 10, unconfirmed",
                "resource in 10, unconfirmed", "resource in 10, unconfirmed", "done, unconfirmed",
            ])
        #expect(try play(first, [error(.forbidden, 403), error(.forbidden, 403)]).last == "Forbidden, unknown")
        let post = try start(.json(202, "", headers: ["azure-asyncoperation": Self.status]), .POST)
        #expect(try play(post, [error(.forbidden, 403)]).last == "Conflict, unknown")
    }

    @Test func `a status that is not there yet is waited for, but not for ever`() throws {
        let first = try start(.json(202, "", headers: ["azure-asyncoperation": Self.status]))
        let words = try play(first, Array(repeating: error(.notFound, 404), count: 7))
        #expect(words[1...6].allSatisfy { $0 == "status in 10" })
        #expect(words.last == "resource in 1, unconfirmed")
        // The resource may be invisible for longer.
        let made = try play(
            first, [error(.forbidden, 403)] + Array(repeating: error(.notFound, 404), count: 61))
        #expect(made.dropLast().last == "resource in 10, unconfirmed" && made.last == "NotFound, unknown")
    }

    @Test func `failures to read are waited out longer and longer, then the resource is read`() throws {
        let first = try start(.json(202, "", headers: ["azure-asyncoperation": Self.status]))
        let words = try play(first, Array(repeating: error(.connection, nil), count: 5))
        #expect(
            words == [
                "status in 10", "status in 10", "status in 20", "status in 30", "status in 40",
                "resource in 10, unconfirmed",
            ])
        let healed = try play(
            first, [error(.serverFault, 502), reply(200, #"{"status":"Running"}"#), error(.timedOut, 504)])
        #expect(healed.last == "status in 10")
        #expect(try play(first, [reply(200, "<html>")]).last == "status in 10")
        #expect(try play(first, [error(.unauthorized, 401)]).last == "Unauthorized, unknown")
    }

    @Test func `throttling is waited out for as long as Azure names`() throws {
        let first = try start(.json(202, "", headers: ["azure-asyncoperation": Self.status]))
        let words = try play(first, Array(repeating: error(.throttled, 429, retryAfter: .seconds(1372)), count: 20))
        #expect(words.dropFirst().allSatisfy { $0 == "status in 1372" })
    }

    @Test func `a status without a state leaves the resource to be read`() throws {
        let first = try start(.json(202, "", headers: ["azure-asyncoperation": Self.status]))
        #expect(try play(first, [reply(200, #"{"id":"x"}"#)]).last == "resource in 10, unconfirmed")
        #expect(try play(first, [reply(200, "")]).last == "final in 0")
    }

    // MARK: After a restart, and secrecy

    @Test func `an operation goes on from its encoded form`() throws {
        let first = try start(.json(202, "", headers: ["azure-asyncoperation": Self.signed, "location": Self.status]))
        let service = try ServiceURL("https://management.example")
        let waited = first.operation.step(error(.notFound, 404), service: service, now: 100)
        let stored = try JSONEncoder().encode(waited.operation)
        let read = try JSONDecoder().decode(LongRunningOperation.self, from: stored)
        #expect(read == waited.operation && read.nextLink.text == Self.signed)
        #expect(word(read.step(error(.notFound, 404), service: service, now: 159)) == "status in 10")
        #expect(word(read.step(error(.notFound, 404), service: service, now: 160)) == "resource in 1, unconfirmed")
    }

    @Test func `a signature prints in no way`() throws {
        let operation = try start(.json(202, "", headers: ["azure-asyncoperation": Self.signed])).operation
        var dumped = ""
        dump(operation, to: &dumped)
        for text in ["\(operation)", String(reflecting: operation.stage), dumped] {
            #expect(text.contains("operationResults/1") && !text.contains("abc"))
        }
    }

    @Test func `any answers in any order end or go on with a wait`() throws {
        let service = try ServiceURL("https://management.example")
        let bodies = [
            "", "{}", "<html>", #"{"status":"Running"}"#, #"{"status":7}"#,
            #"{"properties":{"provisioningState":"X"}}"#,
        ]
        for seed in UInt64(1)...2000 {
            var generator = SplitMix(seed: seed)
            let headers = ["operation-location", "azure-asyncoperation", "location"].filter { _ in
                Bool.random(using: &generator)
            }
            let method = [HTTPMethod.PUT, .PATCH, .POST, .DELETE].randomElement(using: &generator) ?? .PUT
            var step = try start(
                .json(202, "", headers: HTTPHeaders(headers.map { ($0, Self.status) })), method)
            for turn in 0..<30 {
                guard case .pollAfter(let wait) = step.next else { break }
                let reads: Bool = if case .final = step.operation.stage { true } else { false }
                #expect(wait >= .seconds(1) || (reads && wait == .zero), "seed \(seed), turn \(turn)")
                let answer =
                    Bool.random(using: &generator)
                    ? reply(
                        [200, 202, 204].randomElement(using: &generator) ?? 200,
                        bodies.randomElement(using: &generator) ?? "")
                    : error(AzureError.Code.allCases.randomElement(using: &generator) ?? .other, 500)
                step = step.operation.step(answer, service: service, now: Int64(turn) * 10)
                #expect(step.operation.nextLink.text.hasPrefix("https://management.example/"), "seed \(seed)")
            }
        }
    }
}
