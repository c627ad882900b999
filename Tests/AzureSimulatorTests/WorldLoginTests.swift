import Testing

@testable import AzureSimulator

@Suite struct WorldLoginTests {
    @Test func `a client with the right secret gets a token for an hour`() {
        var script = WorldScript()
        let reply = script.login()
        #expect(reply.status == 200)
        #expect(json(reply)["expires_in"] == 3599)
        #expect(json(reply).string("token_type") == "Bearer")
        #expect(json(reply).string("access_token").split(separator: ".").count == 3)
    }

    @Test(arguments: [
        (["tenant": "other"], 400, "invalid_request", 90002),
        (["client": "other"], 400, "unauthorized_client", 700_016),
        (["secret": "wrong"], 401, "invalid_client", 7_000_215), (["secret": ""], 401, "invalid_client", 7_000_218),
        (["scope": "https://management.azure.com"], 400, "invalid_scope", 1_002_012),
        (["scope": "https://example.com/.default"], 400, "invalid_resource", 500_011),
        (["grant": "password"], 400, "unsupported_grant_type", 70003),
        (["grant": ""], 400, "invalid_request", 900_144),
    ])
    func `a refused login has the shape of OAuth`(change: [String: String], status: Int, error: String, code: Int) {
        var script = WorldScript()
        let reply = script.login(
            tenant: change["tenant"] ?? "tenant", client: change["client"] ?? "client",
            secret: change["secret"] ?? "secret",
            scope: change["scope"] ?? "https://management.azure.com/.default",
            grant: change["grant"] ?? "client_credentials")
        #expect(reply.status == status)
        #expect(json(reply).string("error") == error)
        #expect(json(reply)["error_codes"] == [.number(code)])
        #expect(json(reply).string("error_description").hasPrefix("AADSTS\(code): "))
    }

    @Test func `Resource Manager refuses a call without a token, with a forged and with an expired one`() {
        var script = WorldScript()
        func call(_ authorization: String?) -> ControlRequest {
            ControlRequest(
                method: "GET", path: WorldScript.site("a1"), query: "api-version=2023-12-01",
                authorization: authorization)
        }
        let missing = script.send(call(nil))
        #expect((missing.status, missing.errorCode) == (401, "AuthenticationFailed"))
        #expect(missing.header("WWW-Authenticate")?.hasPrefix("Bearer ") == true)

        // The last but one character: of the last, some bits belong to no byte.
        var forged = Array(script.token)
        forged[forged.count - 2] = forged[forged.count - 2] == "A" ? "B" : "A"
        #expect(script.send(call("Bearer " + String(forged))).errorCode == "InvalidAuthenticationToken")
        #expect(script.send(call("Basic abc")).errorCode == "InvalidAuthenticationToken")

        #expect(script.send(call("Bearer \(script.token)")).status == 404)
        script.advance(.seconds(3598))
        #expect(script.send(call("Bearer \(script.token)")).status == 404)
        script.advance(.seconds(1))
        #expect(script.send(call("Bearer \(script.token)")).errorCode == "ExpiredAuthenticationToken")
    }

    @Test func `a token of another simulator is worthless`() throws {
        var one = WorldScript(seed: 1)
        var settings = one.world.settings
        settings.tokenKey = try TokenKey.generate()
        one.world = World(settings: settings)
        #expect(one.arm("GET", WorldScript.site("a1")).errorCode == "InvalidAuthenticationToken")
    }
}
