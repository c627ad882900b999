import AgentLink
import AzureSimulator
import Controller
import Testing

@testable import Daemon

/// What the environment says about sessions.
@Suite struct SessionChoiceTests {
    private func callback(_ environment: [String: String]) throws -> CallbackSettings? {
        guard case .reverse(let callback) = try SessionChoice(environment: environment) else { return nil }
        return callback
    }

    @Test func `the daemon dials unless it is told otherwise`() throws {
        guard case .forward = try SessionChoice(environment: [:]) else { return #expect(Bool(false)) }
        guard case .off = try SessionChoice(environment: ["SKLS_SESSIONS": "off", "SOCKERLESS_CALLBACK_URL": "x"])
        else {
            return #expect(Bool(false))
        }
    }

    @Test func `a callback's URL makes the agents call`() throws {
        let local = try #require(try callback(["SOCKERLESS_CALLBACK_URL": "http://127.0.0.1:9200/agents/"]))
        #expect(local.url == "http://127.0.0.1:9200/agents")
        #expect(local.target.description == "127.0.0.1:9200")
        let listener = try local.listener
        #expect(listener.host == "127.0.0.1" && listener.port == 9_200 && listener.path == "/agents")
        #expect(listener.tls == nil)
        let far = try #require(
            try callback(["SOCKERLESS_CALLBACK_URL": "https://a.example", "SKLS_CALLBACK_ADDR": ":9200"]))
        #expect(far.url == "https://a.example" && far.target.port == 443)
        #expect(try callback(["SOCKERLESS_CALLBACK_URL": "ws://localhost/x"])?.target.description == "localhost:80")
        #expect(try far.listener.host == "0.0.0.0" && far.listener.port == 9_200 && far.listener.path.isEmpty)
        #expect(far.callback.url == far.url && far.callback.authority == nil)
    }

    @Test(arguments: [
        (["SKLS_SESSIONS": "on"], ["SKLS_SESSIONS"]),
        (["SKLS_SESSIONS": "forward", "SOCKERLESS_CALLBACK_URL": "http://127.0.0.1"], ["SOCKERLESS_CALLBACK_URL"]),
        (["SKLS_SESSIONS": "reverse"], ["SOCKERLESS_CALLBACK_URL", "SKLS_CALLBACK_ADDR"]),
        (["SOCKERLESS_CALLBACK_URL": "a.example"], ["SOCKERLESS_CALLBACK_URL", "SKLS_CALLBACK_ADDR"]),
        (["SOCKERLESS_CALLBACK_URL": "http://a.example"], ["SKLS_CALLBACK_ADDR"]),
        (
            [
                "SOCKERLESS_CALLBACK_URL": "http://127.0.0.1:1", "SKLS_CALLBACK_CERT": "/nosuch",
                "SKLS_CALLBACK_KEY": "/nosuch", "SKLS_CALLBACK_CA": "/nosuch",
            ], ["SKLS_CALLBACK_CERT", "SKLS_CALLBACK_KEY", "SKLS_CALLBACK_CA"]
        ), (["SOCKERLESS_CALLBACK_URL": "http://127.0.0.1:1", "SKLS_CALLBACK_KEY": "/nosuch"], ["belong together"]),
    ])
    func `every fault is told at once`(environment: [String: String], words: [String]) {
        let faults = #expect(throws: ConfigurationFaults.self) { try SessionChoice(environment: environment) }
        for word in words { #expect(faults?.description.contains(word) == true) }
    }
}
