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
