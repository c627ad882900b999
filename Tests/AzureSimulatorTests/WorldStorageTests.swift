import Foundation
import Testing

@testable import AzureSimulator

@Suite struct WorldStorageTests {
    @Test func `an account is made by an operation and is nowhere until it has ended`() {
        var script = WorldScript { $0.latencyScale = 1 }
        let reply = script.createAccount("account1")
        #expect(reply.status == 202 && reply.body.isEmpty)
        #expect(reply.header("Retry-After") == "17")
        let location = reply.header("Location") ?? ""
        #expect(
            location.hasPrefix(
                "https://management.azure.com/subscriptions/sub/providers/Microsoft.Storage/locations/eastus/asyncoperations/"
            ))
        #expect(script.call("GET", WorldScript.storage("account1")).errorCode == "ResourceNotFound")
        #expect(script.names(WorldScript.group + "/providers/Microsoft.Storage/storageAccounts").isEmpty)
        #expect(!script.names("/subscriptions/sub/resources").contains("account1"))
        #expect(script.createAccount("account1").errorCode == "StorageAccountOperationInProgress")
        script.advance(.seconds(16))
        let running = script.follow(location)
        #expect(running.status == 202 && running.header("Retry-After") == "1")
        script.advance(.seconds(1))
        let done = script.follow(location)
        #expect(done.status == 200)
        #expect(json(done) == json(script.call("GET", WorldScript.storage("account1"))))
        #expect(script.createAccount("account1").status == 200)
    }

    @Test func `an account looks as Azure's do, with what was asked over the defaults`() throws {
        var script = WorldScript()
        _ = script.call(
            "PUT", WorldScript.storage("account1"),
            body: """
                {"location":"East US","kind":"StorageV2","sku":{"name":"Premium_LRS"},"tags":{"a":"1"},
                 "properties":{"allowSharedKeyAccess":false,"minimumTlsVersion":"TLS1_3","provisioningState":"Odd"}}
                """)
        let account = json(script.call("GET", WorldScript.storage("ACCOUNT1")))
        #expect(account.string("id") == WorldScript.storage("account1"))
        #expect(account.string("location") == "eastus" && account["tags"] == ["a": "1"])
        #expect(account["sku"] == ["name": "Premium_LRS", "tier": "Premium"])
        let properties = try #require(account["properties"])
        #expect(properties["allowSharedKeyAccess"] == false && properties.string("minimumTlsVersion") == "TLS1_3")
        #expect(properties.string("provisioningState") == "Succeeded")
        #expect(properties["primaryEndpoints"]?.string("file") == "https://account1.file.core.windows.net/")
        #expect(properties.string("creationTime") == "2026-09-21T14:13:20.0000000Z")
        let patched = script.call(
            "PATCH", WorldScript.storage("account1"),
            body: #"{"tags":{"b":"2"},"properties":{"allowSharedKeyAccess":true}}"#)
        #expect(patched.status == 200 && json(patched)["tags"] == ["b": "2"])
        #expect(json(patched)["properties"]?["allowSharedKeyAccess"] == true)
        #expect(json(patched)["properties"]?.string("minimumTlsVersion") == "TLS1_3")
    }

    @Test func `names are global, and their state is told`() {
        var script = WorldScript { $0.takenStorageNames = ["foreign1"] }
        script.createAccount("account1")
        func check(_ name: String) -> JSON {
            json(
                script.call(
                    "POST", "/subscriptions/sub/providers/Microsoft.Storage/checkNameAvailability",
                    body: #"{"name":"\#(name)","type":"Microsoft.Storage/storageAccounts"}"#))
        }
        #expect(check("account2") == ["nameAvailable": true])
        #expect(check("account1").string("reason") == "AlreadyExists")
        #expect(check("account1").string("message") == "The storage account named account1 is already taken.")
        #expect(check("foreign1").string("reason") == "AlreadyExists")
        #expect(check("Account-1").string("reason") == "AccountNameInvalid")
        #expect(script.createAccount("foreign1").errorCode == "StorageAccountAlreadyTaken")
        #expect(script.createAccount("foreign1").status == 409)
        #expect(script.createAccount("No").errorCode == "AccountNameInvalid")
        let other = WorldScript.storage("account1").replacing("/skls/", with: "/other/")
        let body = #"{"location":"eastus","kind":"StorageV2","sku":{"name":"Standard_LRS"}}"#
        #expect(script.call("PUT", other, body: body).errorCode == "StorageAccountInAnotherResourceGroup")
        #expect(script.call("GET", other).errorCode == "ResourceNotFound")
        let moved = body.replacing("eastus", with: "westus")
        #expect(script.call("PUT", WorldScript.storage("account1"), body: moved).errorCode == "InvalidResourceLocation")
        #expect(script.call("DELETE", other).status == 204)
        #expect(script.call("DELETE", WorldScript.storage("account1")).status == 200)
        #expect(script.call("DELETE", WorldScript.storage("account1")).status == 204)
        #expect(check("account1") == ["nameAvailable": true])
    }

    @Test func `keys are drawn from the seed, can be renewed one by one and never print`() throws {
        var script = WorldScript()
        script.createAccount("account1")
        func keys() throws -> [JSON] {
            try #require(json(script.call("POST", WorldScript.storage("account1", "/listKeys")))["keys"]?.array)
        }
        let first = try keys()
        #expect(first.map { $0.string("keyName") } == ["key1", "key2"])
        #expect(first.allSatisfy { $0.string("permissions") == "FULL" })
        let values = first.map { $0.string("value") }
        #expect(Set(values).count == 2)
        #expect(values.allSatisfy { Data(base64Encoded: $0)?.count == 64 })
        var same = WorldScript()
        same.createAccount("account1")
        #expect(
            json(same.call("POST", WorldScript.storage("account1", "/listKeys")))["keys"]?.array?.map {
                $0.string("value")
            } == values)
        let renewed = script.call(
            "POST", WorldScript.storage("account1", "/regenerateKey"), body: #"{"keyName":"key2"}"#)
        #expect(renewed.status == 200)
        let second = try keys().map { $0.string("value") }
        #expect(second[0] == values[0] && second[1] != values[1])
        #expect(
            script.call("POST", WorldScript.storage("account1", "/regenerateKey"), body: #"{"keyName":"x"}"#).status
                == 400)
        let account = try #require(script.world.storage.accounts["account1"])
        #expect(values.allSatisfy { !"\(account.keys)".contains($0) })
    }

    @Test func `shares are made, shown, changed, listed in pages and deleted`() throws {
        var script = WorldScript()
        script.createAccount("account1")
        func path(_ share: String) -> String {
            WorldScript.storage("account1", "/fileServices/default/shares/\(share)")
        }
        let made = script.call("PUT", path("share1"), body: #"{"properties":{"shareQuota":5,"metadata":{"k":"v"}}}"#)
        #expect(made.status == 201 && made.header("ETag")?.hasPrefix("\"0x8D") == true)
        #expect(json(made)["properties"] == ["metadata": ["k": "v"], "shareQuota": 5])
        #expect(script.call("PUT", path("share1"), body: #"{"properties":{"shareQuota":9}}"#).status == 200)
        let shown = json(script.call("GET", path("share1")))
        #expect(shown.string("type") == "Microsoft.Storage/storageAccounts/fileServices/shares")
        #expect(shown.string("etag") == made.header("ETag"))
        #expect(shown["properties"]?["shareQuota"] == 5 && shown["properties"]?["metadata"] == ["k": "v"])
        #expect(shown["properties"]?.string("accessTier") == "TransactionOptimized")
        let changed = script.call(
            "PATCH", path("share1"), body: #"{"properties":{"shareQuota":10,"accessTier":"Hot"}}"#)
        #expect(changed.status == 200 && json(changed)["properties"]?["shareQuota"] == 10)
        for name in ["share2", "share3", "share4"] { _ = script.call("PUT", path(name), body: "{}") }
        let list = WorldScript.storage("account1", "/fileServices/default/shares")
        #expect(script.names(list, query: "%24maxpagesize=3") == ["share1", "share2", "share3", "share4"])
        let page = json(script.call("GET", list, query: "%24maxpagesize=3"))
        #expect(page["value"]?.array?.count == 3)
        #expect(script.names(list, query: "%24filter=startswith(name,'share2')") == ["share2"])
        #expect(script.call("DELETE", path("share1"), query: "%24include=none").status == 200)
        #expect(script.call("DELETE", path("share1")).status == 204)
        #expect(script.call("GET", path("share1")).errorCode == "ShareNotFound")
        #expect(script.call("PUT", path("Bad--name"), body: "{}").status == 400)
        #expect(script.call("PUT", path("share9"), body: #"{"properties":{"shareQuota":0}}"#).status == 400)
        let service = json(script.call("GET", WorldScript.storage("account1", "/fileServices/default")))
        #expect(service.string("type") == "Microsoft.Storage/storageAccounts/fileServices")
        #expect(
            json(script.call("GET", WorldScript.storage("account1", "/blobServices/default"))).string("name")
                == "default")
        #expect(script.call("GET", WorldScript.storage("account9", "/fileServices/default")).status == 404)
    }
}
