import Testing

@testable import AzureSimulator

@Suite struct WorldIdentitiesTests {
    @Test func `an identity is made with ids that stay its own`() throws {
        var script = WorldScript()
        let made = script.call("PUT", WorldScript.identity("one"), body: #"{"location":"eastus","tags":{"a":"1"}}"#)
        #expect(made.status == 201)
        let properties = try #require(json(made)["properties"])
        #expect(properties.string("tenantId") == "tenant")
        #expect(properties.string("clientId").count == 36 && properties.string("principalId").count == 36)
        #expect(properties.string("clientId") != properties.string("principalId"))
        #expect(made.header("Location") == json(made).string("id"))
        #expect(json(made).string("id").contains("/resourcegroups/skls/"))
        let again = script.call("PUT", WorldScript.identity("ONE"), body: #"{"location":"eastus"}"#)
        #expect(again.status == 200 && json(again)["properties"] == properties)
        #expect(
            json(script.call("PATCH", WorldScript.identity("one"), body: #"{"tags":{"b":"2"}}"#))["tags"] == ["b": "2"])
        let group = WorldScript.group + "/providers/Microsoft.ManagedIdentity/userAssignedIdentities"
        #expect(script.names(group) == ["one"])
        #expect(
            script.names("/subscriptions/sub/providers/Microsoft.ManagedIdentity/userAssignedIdentities") == ["one"])

        let id = WorldScript.identity("One").uppercased()
        #expect(script.world.userAssignedIdentity(id: id)?.clientID == properties.string("clientId"))
        #expect(
            script.world.userAssignedIdentity(clientID: properties.string("clientId").uppercased())?.principalID
                == properties.string("principalId"))
        #expect(script.world.userAssignedIdentity(principalID: properties.string("principalId"))?.name == "one")
        #expect(script.world.userAssignedIdentity(id: id.replacing("/SUB/", with: "/OTHER/")) == nil)

        #expect(script.call("DELETE", WorldScript.identity("one")).status == 200)
        #expect(script.call("DELETE", WorldScript.identity("one")).status == 204)
        #expect(script.call("GET", WorldScript.identity("one")).errorCode == "ResourceNotFound")
        #expect(script.world.userAssignedIdentity(id: id) == nil)
    }

    @Test func `wrong identities are refused`() {
        var script = WorldScript()
        #expect(script.call("PUT", WorldScript.identity("ab"), body: #"{"location":"eastus"}"#).status == 400)
        #expect(script.call("PUT", WorldScript.identity("one"), body: "{}").errorCode == "LocationRequired")
        #expect(script.call("PUT", WorldScript.identity("one"), body: #"{"location":"x"}"#).status == 400)
        _ = script.call("PUT", WorldScript.identity("one"), body: #"{"location":"eastus"}"#)
        #expect(
            script.call("PUT", WorldScript.identity("one"), body: #"{"location":"westus"}"#).errorCode
                == "InvalidResourceLocation")
        #expect(script.call("POST", WorldScript.identity("one")).status == 405)
    }

    @Test func `federated credentials are kept with their identity`() {
        var script = WorldScript()
        _ = script.call("PUT", WorldScript.identity("one"), body: #"{"location":"eastus"}"#)
        func path(_ name: String) -> String { WorldScript.identity("one", "/federatedIdentityCredentials/\(name)") }
        func body(_ subject: String) -> String {
            #"{"properties":{"issuer":"https://issuer.example","subject":"\#(subject)","audiences":["api://AzureADTokenExchange"]}}"#
        }
        let made = script.call("PUT", path("first"), body: body("one"))
        #expect(made.status == 201 && made.header("Location")?.hasSuffix("/federatedIdentityCredentials/first") == true)
        #expect(json(made)["properties"]?["audiences"] == ["api://AzureADTokenExchange"])
        #expect(script.call("PUT", path("first"), body: body("two")).status == 200)
        #expect(json(script.call("GET", path("first")))["properties"]?.string("subject") == "two")
        #expect(script.call("PUT", path("second"), body: body("two")).status == 409)
        #expect(script.call("PUT", path("second"), body: "{}").status == 400)
        _ = script.call("PUT", path("second"), body: body("three"))
        #expect(script.names(WorldScript.identity("one", "/federatedIdentityCredentials")) == ["first", "second"])
        #expect(script.call("DELETE", path("first")).status == 200)
        #expect(script.call("DELETE", path("first")).status == 204)
        #expect(script.call("GET", path("first")).errorCode == "ResourceNotFound")
        for number in 0..<19 { _ = script.call("PUT", path("c\(number)"), body: body("s\(number)")) }
        #expect(script.call("PUT", path("last"), body: body("last")).status == 400)
    }
}
