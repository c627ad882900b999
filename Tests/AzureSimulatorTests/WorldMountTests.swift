import Testing

@testable import AzureSimulator

/// What of shares reaches containers.
@Suite struct WorldMountTests {
    private static let shares = "/fileServices/default/shares/"

    private func script() -> WorldScript {
        var script = WorldScript { $0.storageAccounts = ["account1"] }
        for share in ["one", "two"] {
            _ = script.call("PUT", WorldScript.storage("account1", Self.shares + share), body: "{}")
        }
        return script
    }

    private func key(_ script: WorldScript, _ index: Int = 0) -> String {
        script.world.storage.accounts["account1"]?.keys[index].value ?? ""
    }

    private func mount(
        _ path: String, share: String = "one", key: String, account: String = "account1", type: String = "AzureFiles"
    ) -> String {
        #"{"type":"\#(type)","accountName":"\#(account)","shareName":"\#(share)","mountPath":"\#(path)","accessKey":"\#(key)"}"#
    }

    private func put(_ script: inout WorldScript, _ mounts: String...) {
        let members = mounts.enumerated().map { #""m\#($0.offset)":\#($0.element)"# }.joined(separator: ",")
        script.site("PUT", "/config/azurestorageaccounts", body: #"{"properties":{\#(members)}}"#)
    }

    private func states(_ script: inout WorldScript) -> [String] {
        (json(script.site("POST", "/config/azurestorageaccounts/list"))["properties"]?.members ?? []).map {
            $0.value.string("state")
        }
    }

    @Test func `the first container of a site has the mounts of its PUT`() throws {
        var script = script()
        let key = key(script, 1)
        let body = WorldScript.body().replacing(
            "\"siteConfig\":{",
            with: "\"siteConfig\":{\"azureStorageAccounts\":{\"b\":\(mount("/deep/x/", share: "two", key: key)),"
                + "\"a\":\(mount("/deep", key: key))},")
        #expect(script.put("a1", body: body).status == 200)
        let launch = try #require(script.started)
        #expect(
            launch.mounts == [
                ContainerMount(folder: ShareFolder(account: "account1", share: "one"), path: "/deep"),
                ContainerMount(folder: ShareFolder(account: "account1", share: "two"), path: "/deep/x"),
            ])
        #expect(states(&script) == ["Ok", "Ok"])
    }

    @Test func `mounts start a container, once`() throws {
        var script = script()
        _ = script.serve()
        put(&script, mount("/m", key: key(script)))
        #expect(script.started?.mounts.count == 1)
        put(&script, mount("/m", key: key(script)))
        #expect(script.started == nil)
    }

    @Test(arguments: [
        ("key", "InvalidCredentials"), ("account", "InvalidCredentials"), ("share", "InvalidShare"),
        ("blob", "NotValidated"), ("path", "NotValidated"),
    ])
    func `a container whose mount cannot be had does not start`(fault: String, state: String) throws {
        var script = script()
        let key = key(script)
        let bad =
            switch fault {
            case "key": mount("/m", key: "d3Jvbmc=")
            case "account": mount("/m", key: key, account: "nobody")
            case "share": mount("/m", share: "three", key: key)
            case "blob": mount("/m", key: key, type: "AzureBlob")
            default: mount("/a/../b", key: key)
            }
        _ = script.put("a1")
        put(&script, mount("/good", share: "two", key: key), bad)
        #expect(script.started == nil)
        #expect(script.log("a1").contains("Failed to mount Azure Storage"))
        #expect(states(&script) == ["Ok", state])
        #expect(!script.log("a1").contains(key), "keys are not logged")
        put(&script, mount("/good", share: "two", key: key))
        #expect(script.started != nil)
    }

    @Test func `files go with their share, and with the account`() {
        var script = script()
        func removed() -> [String] {
            script.last.compactMap { effect in
                if case .removeShare(let folder) = effect { folder.share } else { nil }
            }
        }
        _ = script.call("DELETE", WorldScript.storage("account1", Self.shares + "one"))
        #expect(removed() == ["one"])
        _ = script.call("DELETE", WorldScript.storage("account1", Self.shares + "one"))
        #expect(removed().isEmpty)
        _ = script.call("PUT", WorldScript.storage("account1", Self.shares + "three"), body: "{}")
        _ = script.call("DELETE", WorldScript.storage("account1"))
        #expect(removed() == ["three", "two"])
    }

    @Test func `accounts of the start are there after a state that lacks them`() throws {
        let old = WorldScript()
        var script = WorldScript { $0.storageAccounts = ["account1"] }
        let snapshot = try old.world.snapshot()
        _ = try script.world.restore(snapshot, at: WorldScript.start)
        #expect(script.world.storage.accounts["account1"] != nil)
        let key = key(script)
        let again = try script.world.snapshot()
        _ = try script.world.restore(again, at: WorldScript.start)
        #expect(self.key(script) == key, "and keep their keys after one that has them")
    }
}
