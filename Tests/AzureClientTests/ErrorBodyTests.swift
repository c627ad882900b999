import NIOCore
import Testing

@testable import AzureClient

/// Shapes as they were seen on the wire (azure-resource-manager-rpc, issues of terraform-provider-azurerm, Entra and
/// storage docs); ids and names are invented.
@Suite struct ErrorBodyTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let body: String
        var header: String?
        let code: String?
        var inner: [String] = []
        let message: String
    }

    static let cases = [
        Case(
            testDescription: "Resource Manager",
            body: #"""
                {"error":{"code":"ResourceNotFound","message":"The Resource 'Microsoft.Web/sites/x' under resource group 'g' was not found.","details":[{"code":"Inner","message":"m"}],"innererror":{"code":"Deep","innererror":{"code":"Deeper"}},"additionalInfo":[{"type":"t","info":{}}]}}
                """#,
            code: "ResourceNotFound", inner: ["Inner", "Deeper", "Deep"],
            message: "The Resource 'Microsoft.Web/sites/x' under resource group 'g' was not found."),
        Case(
            testDescription: "App Service in Pascal case, with the extended code in an entity",
            body: #"""
                {"Code":"Conflict","Message":"Cannot modify this site because another operation is in progress. Details: Id: 1","Target":null,"Details":[{"Message":"Cannot modify"},{"Code":"Conflict"},{"ErrorEntity":{"ExtendedCode":"59203","MessageTemplate":"Cannot modify this site because another operation is in progress. Details: {0}","Parameters":["Id: 1, OperationName: Update"],"Code":"Conflict","Message":"Cannot modify"}}],"Innererror":null}
                """#,
            code: "Conflict", inner: ["59203"],
            message: "Cannot modify this site because another operation is in progress. Details: Id: 1"),
        Case(
            testDescription: "bare object", body: #"{"code":"InvalidRequest","message":"no"}"#, code: "InvalidRequest",
            message: "no"),
        Case(
            testDescription: "OData of tables",
            body: #"{"odata.error":{"code":"TableNotFound","message":{"lang":"en-us","value":"no table"}}}"#,
            code: "TableNotFound", message: "no table"),
        Case(
            testDescription: "XML of the storage services",
            body: "\u{FEFF}<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>ShareBeingDeleted</Code>"
                + "<Message>The share is\nbeing deleted.</Message></Error>",
            code: "ShareBeingDeleted", message: "The share is being deleted."),
        Case(
            testDescription: "OAuth",
            body: #"""
                {"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided.","error_codes":[7000215],"timestamp":"2026-01-01 00:00:00Z","trace_id":"t","correlation_id":"c","error_uri":"u"}
                """#,
            code: "invalid_client", inner: ["AADSTS7000215"], message: "AADSTS7000215: Invalid client secret provided."),
        Case(
            testDescription: "HTML of a gateway",
            body: "<!DOCTYPE html>\r\n<html><head><title>502 Bad\r\n Gateway</title></head></html>", code: nil,
            message: "502 Bad Gateway"),
        Case(
            testDescription: "failed operation",
            body: #"{"id":"i","status":"Failed","error":{"code":"X","message":"m"}}"#,
            code: "X", message: "m"),
        Case(
            testDescription: "failed operation without a code",
            body: #"{"status":"Failed","error":{"message":"only text"}}"#, code: nil, message: "only text"),
        Case(
            testDescription: "byte order mark in front of JSON",
            body: "\u{FEFF}" + #"{"error":{"code":"A","message":"b"}}"#, code: "A", message: "b"),
        Case(
            testDescription: "deployment whose message is JSON",
            body:
                #"{"error":{"code":"DeploymentFailed","message":"{\"error\":{\"code\":\"QuotaExceeded\",\"message\":\"m\"}}"}}"#,
            code: "DeploymentFailed", inner: ["QuotaExceeded"],
            message: #"{"error":{"code":"QuotaExceeded","message":"m"}}"#),
        Case(
            testDescription: "deployment whose detail's message is JSON",
            body:
                #"{"error":{"code":"DeploymentFailed","message":"At least one failed.","details":[{"code":"Conflict","message":"{\"error\":{\"code\":\"MissingSubscriptionRegistration\",\"message\":\"m\"}}"}]}}"#,
            code: "DeploymentFailed", inner: ["MissingSubscriptionRegistration", "Conflict"],
            message: "At least one failed."),
        Case(
            testDescription: "Resource Manager with target and an empty list",
            body: #"{"error":{"code":"InvalidTemplate","target":"t","message":"m","details":[],"innererror":null}}"#,
            code: "InvalidTemplate", message: "m"),
        Case(
            testDescription: "App Service that throttles plans",
            body: #"""
                {"Code":"429","Message":"App Service Plan Create operation is throttled for subscription s.","Target":null,"Details":[{"ErrorEntity":{"ExtendedCode":"51025","Code":"429"}}]}
                """#,
            code: "429", inner: ["51025"],
            message: "App Service Plan Create operation is throttled for subscription s."),
        Case(
            testDescription: "XML with a code in the header",
            body: "<?xml version=\"1.0\"?><Error><Code>Other</Code><Message>gone</Message></Error>",
            header: "ShareNotFound", code: "ShareNotFound", message: "gone"),
        Case(
            testDescription: "HTML of a stopped site",
            body: "<html><head></head><body><h1 id=\"x\">Error 403</h1><h1>This web app is stopped.</h1></body></html>",
            code: nil, message: "This web app is stopped."),
        Case(
            testDescription: "error as a word beside a message", body: #"{"error":"Forbidden","message":"no role"}"#,
            code: "Forbidden", message: "no role"),
        Case(
            testDescription: "Functions host",
            body: #"{"Message":"An error has occurred.","ExceptionMessage":"no host","ExceptionType":"X"}"#, code: nil,
            message: "An error has occurred. no host"),
        Case(
            testDescription: "log query",
            body: #"""
                {"error":{"message":"The request had some invalid properties","code":"BadArgumentError","innererror":{"code":"SemanticError","message":"A semantic error occurred.","innererror":{"code":"SEM0100","message":"'where' failed"}}}}
                """#,
            code: "BadArgumentError", inner: ["SEM0100", "SemanticError"],
            message: "The request had some invalid properties"),
        Case(
            testDescription: "cut in the middle", body: #"{"error":{"code":"Conflict","mess"#, code: nil,
            message: #"{"error":{"code":"Conflict","mess"#),
        Case(
            testDescription: "container registry",
            body: #"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":{"Tag":"x"}}]}"#,
            code: "MANIFEST_UNKNOWN", message: "manifest unknown"),
        Case(
            testDescription: "code in the header", body: "", header: "ShareNotFound", code: "ShareNotFound", message: ""
        ),
        Case(
            testDescription: "numeric code", body: #"{"Code":429,"Message":"slow down"}"#, code: "429",
            message: "slow down"),
        Case(testDescription: "plain text", body: "  upstream gone  ", code: nil, message: "upstream gone  "),
        Case(testDescription: "nothing", body: "", code: nil, message: ""),
        Case(testDescription: "JSON that is no object", body: "[1]", code: nil, message: "[1]"),
        Case(testDescription: "wrong types", body: #"{"error":{"code":[],"message":7}}"#, code: nil, message: "7"),
    ]

    @Test(arguments: cases) func `every known shape of an error body is read`(_ sample: Case) {
        let body = ErrorBody(bytes: sample.body.utf8, headerCode: sample.header)
        #expect(body.code == sample.code)
        #expect(body.innerCodes == sample.inner)
        #expect(body.message == sample.message)
    }

    @Test func `an id that stands only in the body is kept`() {
        #expect(ErrorBody(bytes: #"{"error":"x","correlation_id":"c-1"}"#.utf8).correlationID == "c-1")
    }

    @Test(arguments: cases) func `a truncated body is read without failing`(_ sample: Case) {
        let bytes = Array(sample.body.utf8)
        for length in 0...bytes.count { _ = ErrorBody(bytes: bytes.prefix(length)) }
    }

    @Test func `random bytes are read without failing`() {
        var generator = SplitMix(seed: 7)
        let alphabet = Array(#"{}[]":,<>/\Codemsgr 0159\u0000"#.utf8) + [0xEF, 0xBB, 0xBF, 0xFF, 0]
        for _ in 0..<2000 {
            let bytes = (0..<Int.random(in: 0...80, using: &generator)).map { _ in
                alphabet[Int.random(in: 0..<alphabet.count, using: &generator)]
            }
            #expect(ErrorBody(bytes: bytes).message.count <= 1024)
        }
    }

    @Test func `details nested without end are followed only so far`() {
        let body =
            String(repeating: #"{"code":"A","message":"m","innererror":"#, count: 400) + "{}"
            + String(repeating: "}", count: 400)
        #expect(ErrorBody(bytes: body.utf8).code == "A")
    }

    @Test func `a long body is read, a longer one shown by its beginning`() {
        func body(_ bytes: Int) -> String {
            #"{"error":{"code":"RequestDisallowedByPolicy","message":"m","x":""# + String(repeating: "y", count: bytes)
                + #""}}"#
        }
        #expect(ErrorBody(bytes: body(900_000).utf8).code == "RequestDisallowedByPolicy")
        let longer = ErrorBody(bytes: body(2_000_000).utf8)
        #expect(longer.code == nil && longer.message.count == 300)
    }

    @Test func `changed and cut bodies are read without failing`() {
        for seed in UInt64(1)...1500 {
            var generator = SplitMix(seed: seed)
            var bytes = Array((Self.cases.randomElement(using: &generator)?.body ?? "").utf8)
            for _ in 0..<Int.random(in: 1...6, using: &generator) where !bytes.isEmpty {
                let place = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: bytes.removeSubrange(place...)
                case 1: bytes.insert(contentsOf: bytes[place...].prefix(40), at: 0)
                case 2: bytes.remove(at: place)
                default: bytes[place] = UInt8.random(in: 0...255, using: &generator)
                }
            }
            let reply = AzureReply(
                status: Int.random(in: 300...599, using: &generator), body: ByteBuffer(bytes: bytes),
                requestID: .testing)
            let error = AzureError(reply, to: Sample.request(isWrite: true), clock: .system)
            #expect(error.message.count <= 1200 && !error.description.contains("\n"), "seed \(seed)")
            #expect(!error.message.isEmpty, "seed \(seed)")
        }
    }
}

/// A small seeded generator, so that a failing case comes again.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
