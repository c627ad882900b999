import Testing

@testable import AzureSimulator

/// The documents below a site.
@Suite struct WorldSiteConfigurationTests {
    private func script() -> WorldScript {
        var script = WorldScript()
        _ = script.put("a1")
        return script
    }

    @Test func `settings are replaced as a whole, and the answer's ETag is the one before`() {
        var script = script()
        script.advance(.seconds(10))
        let put = script.site("PUT", "/config/appsettings", body: #"{"properties":{"B":"2"}}"#)
        #expect(put.status == 200)
        #expect(json(put)["properties"] == ["B": "2"])
        #expect(json(put).string("name") == "appsettings")
        #expect(put.header("etag") == "\"\(WorldScript.start.fileTime)\"")
        #expect(script.properties().string("lastModifiedTimeUtc") == "2026-09-21T14:13:30")
        #expect(script.site("PUT", "/config/appsettings", body: #"{"properties":{"B=":"2"}}"#).status == 400)
        #expect(script.site("PUT", "/config/appsettings", body: "[]").errorCode == "InvalidRequestContent")
        #expect(json(script.site("POST", "/config/appsettings/list"))["properties"] == ["B": "2"])
    }

    @Test func `file times are those of Windows`() {
        // From a recorded reply of 2022-03-09T05:57:05Z.
        let time = Instant(nanoseconds: (0x1D8_337A_7D9D_09E0 - 116_444_736_000_000_000) * 100)
        #expect(time.iso8601 == "2022-03-09T05:56:59.390Z")
        #expect(time.fileTime == "1D8337A7D9D09E0")
    }

    @Test(arguments: ["appsettings", "connectionstrings", "azurestorageaccounts", "metadata", "publishingcredentials"])
    func `what holds secrets is read by POST and not by GET`(name: String) {
        var script = script()
        #expect(script.site("GET", "/config/\(name)").status == 405)
        #expect(script.site("GET", "/config/\(name)/list").status == 405)
        #expect(script.site("POST", "/config/\(name)/list").status == 200)
    }

    @Test func `mounts are kept with their state, at most five and not on the platform's folders`() {
        var script = script()
        func mount(_ path: String) -> String {
            #"{"type":"AzureFiles","accountName":"acc","shareName":"s","mountPath":"\#(path)","accessKey":"k"}"#
        }
        func put(_ mounts: [String]) -> Int {
            let members = mounts.enumerated().map { #""m\#($0.offset)":\#(mount($0.element))"# }
            return script.site(
                "PUT", "/config/azurestorageaccounts", body: #"{"properties":{\#(members.joined(separator: ","))}}"#
            ).status
        }
        #expect(put(["/data"]) == 200)
        let listed = json(script.site("POST", "/config/azurestorageaccounts/list"))
        #expect(listed["properties"]?["m0"]?.string("state") == "InvalidCredentials", "there is no such account")
        #expect(listed["properties"]?["m0"]?.string("mountPath") == "/data")
        #expect(put(["/"]) == 400)
        #expect(put(["/home"]) == 400)
        #expect(put((1...6).map { "/m\($0)" }) == 400)
        #expect(json(script.site("POST", "/config/azurestorageaccounts/list"))["properties"]?.members?.count == 1)
    }

    @Test func `a site's whole configuration has defaults and what was set, and merges`() {
        var script = script()
        var config = json(script.site("GET", "/config/web"))["properties"]
        #expect(config?.string("linuxFxVersion") == "DOCKER|alpine")
        #expect(config?["webSocketsEnabled"] == false)
        #expect(config?["appSettings"] == .null)
        #expect(config?["ipSecurityRestrictions"]?.array?.first?.string("name") == "Allow all")
        #expect(config?.string("publishingUsername") == "$a1")
        let patch = script.site(
            "PATCH", "/config/web", body: #"{"properties":{"webSocketsEnabled":true,"linuxFxVersion":null}}"#)
        #expect(patch.status == 200)
        config = json(script.site("GET", "/config/web"))["properties"]
        #expect(config?["webSocketsEnabled"] == true)
        #expect(config?.string("linuxFxVersion") == "DOCKER|alpine")
        #expect(
            script.site("PATCH", "/config/web", body: #"{"properties":{"linuxFxVersion":"DOCKER|al pine"}}"#).errorCode
                == "BadRequest")
        let all = json(script.site("GET", "/config"))["value"]?.array
        #expect(all?.map { $0.string("type") } == ["Microsoft.Web/sites/config"])
    }

    @Test func `slot names have no id and the site's type, as recorded`() {
        var script = script()
        let names = json(script.site("GET", "/config/slotConfigNames"))
        #expect(names["id"] == .null)
        #expect(names.string("name") == "a1")
        #expect(names.string("type") == "Microsoft.Web/sites")
        #expect(names["properties"]?["appSettingNames"] == .null)
        _ = script.site("PUT", "/config/slotConfigNames", body: #"{"properties":{"appSettingNames":["A"]}}"#)
        #expect(json(script.site("GET", "/config/slotConfigNames"))["properties"]?["appSettingNames"] == ["A"])
    }

    @Test func `publishing has credentials, a profile and policies`() {
        var script = script()
        let credentials = json(script.site("POST", "/config/publishingcredentials/list"))["properties"]
        #expect(credentials?.string("publishingUserName") == "$a1")
        #expect(credentials?.string("scmUri").hasSuffix("@a1.scm.azurewebsites.net") == true)
        let profile = String(decoding: script.site("POST", "/publishxml").body, as: UTF8.self)
        #expect(profile.contains("publishMethod=\"FTP\""))
        #expect(profile.contains(credentials?.string("publishingPassword") ?? "?"))
        let scm = "/basicPublishingCredentialsPolicies/scm"
        #expect(json(script.site("GET", scm))["properties"]?["allow"] == true)
        #expect(
            json(script.site("PUT", scm, body: #"{"properties":{"allow":false}}"#))["properties"]?["allow"] == false)
        #expect(json(script.site("GET", "/basicPublishingCredentialsPolicies"))["value"]?.array?.count == 2)
    }

    @Test func `an image has no Functions host to ask, and no functions, slots or deployments`() {
        var script = script()
        for path in ["/host/default/listkeys", "/syncfunctiontriggers", "/host/default/sync"] {
            let reply = script.site("POST", path)
            #expect((reply.status, reply.errorCode) == (400, "BadRequest"))
            #expect(json(reply).string("Message") == "Encountered an error (ServiceUnavailable) from host runtime.")
        }
        for path in ["/functions", "/slots", "/deployments", "/privateEndpointConnections"] {
            #expect(json(script.site("GET", path))["value"] == [])
        }
        #expect(json(script.site("GET", "/hostNameBindings"))["value"]?.array?.count == 1)
        #expect(json(script.site("GET", "/instances"))["value"] == [])
        #expect(script.site("GET", "/no/such/thing").status == 405)
    }
}
