import Testing

@testable import AzureSimulator

@Suite struct WorldResourcesTests {
    private let subscription = "/subscriptions/sub"

    @Test func `tenant, subscription and regions are told`() {
        var script = WorldScript()
        let list = json(script.call("GET", "/subscriptions"))
        #expect(list["value"]?.array?.first?.string("subscriptionId") == "sub")
        let one = json(script.call("GET", "/subscriptions/SUB"))
        #expect(one.string("id") == "/subscriptions/sub" && one.string("tenantId") == "tenant")
        #expect(one.string("state") == "Enabled")
        #expect(json(script.call("GET", "/tenants"))["value"]?.array?.first?.string("tenantId") == "tenant")
        let regions = json(script.call("GET", "/subscriptions/sub/locations"))["value"]?.array ?? []
        #expect(regions.contains { $0.string("name") == "eastus" && $0.string("displayName") == "East US" })
        #expect(script.call("GET", "/subscriptions/other").errorCode == "SubscriptionNotFound")
        #expect(script.call("GET", "/nothing").status == 404)
        let wrong = ControlRequest(
            method: "GET", path: "/tenants", query: "api-version=soon", authorization: "Bearer \(script.token)")
        #expect(script.send(wrong).errorCode == "InvalidApiVersionParameter")
    }

    // MARK: Groups

    @Test func `a group is made, found, changed and listed by tag`() {
        var script = WorldScript(pageSize: 2)
        let path = "\(subscription)/resourcegroups/New"
        #expect(script.call("HEAD", path).status == 404)
        #expect(script.call("GET", path).errorCode == "ResourceGroupNotFound")
        let made = script.call("PUT", path, body: #"{"location":"West US","tags":{"a":"1"}}"#)
        #expect(made.status == 201)
        #expect(json(made).string("id") == "/subscriptions/sub/resourceGroups/New")
        #expect(json(made).string("location") == "westus")
        #expect(json(made).string("type") == "Microsoft.Resources/resourceGroups")
        #expect(json(made)["properties"]?.string("provisioningState") == "Succeeded")
        #expect(script.call("HEAD", path.lowercased()).status == 204)
        #expect(script.call("PUT", path, body: #"{"location":"westus","tags":{"a":"2"}}"#).status == 200)
        #expect(
            script.call("PUT", path, body: #"{"location":"eastus"}"#).errorCode == "InvalidResourceGroupLocation")
        #expect(script.call("PATCH", path, body: #"{"tags":{"b":"3"}}"#).status == 200)
        #expect(json(script.call("GET", path))["tags"] == ["b": "3"])
        #expect(script.names("\(subscription)/resourcegroups").sorted() == ["New", "other", "skls"])
        let filter = "%24filter=tagName%20eq%20'B'%20and%20tagValue%20eq%20'3'"
        #expect(script.names("\(subscription)/resourcegroups", query: filter) == ["New"])
        #expect(
            script.call("GET", "\(subscription)/resourcegroups", query: "%24filter=name%20eq%20'New'").errorCode
                == "InvalidFilterInQueryString")
        for (body, code) in [
            ("{}", "LocationRequired"), (#"{"location":"mars"}"#, "LocationNotAvailableForResourceGroup"),
            ("[", "InvalidRequestContent"), (#"{"location":"westus","tags":[]}"#, "InvalidRequestContent"),
        ] {
            #expect(script.call("PUT", path, body: body).errorCode == code)
        }
        #expect(
            script.call("PUT", "\(subscription)/resourcegroups/dot.", body: #"{"location":"eastus"}"#).status == 400)
    }

    @Test func `a new group takes resources, and its deletion takes them along`() {
        var script = WorldScript { $0.latencyScale = 1 }
        let path = "\(subscription)/resourceGroups/new"
        _ = script.call("PUT", path, body: #"{"location":"eastus"}"#)
        let identity = "\(path)/providers/Microsoft.ManagedIdentity/userAssignedIdentities/one"
        #expect(script.call("PUT", identity, body: #"{"location":"eastus"}"#).status == 201)
        _ = script.call(
            "PUT", "\(path)/providers/Microsoft.Web/sites/site-of-new",
            body: WorldScript.body(
                plan: "/subscriptions/sub/resourceGroups/skls/providers/Microsoft.Web/serverfarms/plan"))
        #expect(script.world.sites.count == 1)

        let deletion = script.call("DELETE", path)
        #expect(deletion.status == 202 && deletion.body.isEmpty)
        #expect(deletion.header("Retry-After") == "15")
        let location = deletion.header("Location") ?? ""
        #expect(location.hasPrefix("https://management.azure.com/subscriptions/sub/operationresults/"))
        #expect(script.world.sites.isEmpty && script.world.identities.isEmpty)

        #expect(json(script.call("GET", path))["properties"]?.string("provisioningState") == "Deleting")
        #expect(script.call("PUT", identity, body: #"{"location":"eastus"}"#).errorCode == "ResourceGroupBeingDeleted")
        #expect(script.call("PUT", path, body: #"{"location":"eastus"}"#).errorCode == "ResourceGroupBeingDeleted")
        script.advance(.seconds(50))
        let running = script.follow(location)
        #expect(running.status == 202 && running.header("Retry-After") == "10")
        #expect(running.header("Location") == location)
        script.advance(.seconds(10))
        let done = script.follow(location)
        #expect(done.status == 200 && done.body.isEmpty)
        #expect(script.call("GET", path).status == 404 && script.call("DELETE", path).status == 404)
        script.advance(SubscriptionState.operationLife)
        _ = script.follow(location)
        #expect(script.world.subscription.groupDeletions.isEmpty)
    }

    @Test func `every type of resource is listed, tagged, in Resource Graph, and deleted with its group`() throws {
        var script = WorldScript { $0.web.environments = [.init(name: "environment", group: "other")] }
        let group = "\(subscription)/resourceGroups/other"
        func path(_ type: String, _ name: String) -> String { "\(group)/providers/\(type)/\(name)" }
        let location = #"{"location":"eastus"}"#
        let paths = [
            path("Microsoft.Web/sites", "site"), path("Microsoft.Web/serverfarms", "farm"),
            path("Microsoft.App/managedEnvironments", "environment"),
            path("Microsoft.Storage/storageAccounts", "account1"),
            path("Microsoft.ManagedIdentity/userAssignedIdentities", "identity"),
            path("Microsoft.OperationalInsights/workspaces", "workspace"),
            path("Microsoft.Insights/components", "component"),
        ]
        #expect(paths.count == ResourceInventory.all.count)
        _ = script.arm("PUT", paths[1], body: #"{"location":"eastus","sku":{"name":"EP1"}}"#)
        _ = script.put("site", group: "other", body: WorldScript.body(plan: paths[1]))
        _ = script.call(
            "PUT", paths[3], body: #"{"location":"eastus","kind":"StorageV2","sku":{"name":"Standard_LRS"}}"#)
        _ = script.call("PUT", paths[4], body: location)
        _ = script.logsARM("PUT", paths[5], body: location)
        _ = script.insightsARM("PUT", paths[6], body: location)
        let names = [
            "account1", "component", "environment", "farm", "identity", "site", "workspace",
        ]
        #expect(script.names("\(group)/resources").sorted() == names)
        for path in paths {
            let tags = script.call(
                "PUT", "\(path)/providers/Microsoft.Resources/tags/default",
                body: #"{"properties":{"tags":{"here":"yes"}}}"#)
            #expect(tags.status == 200, "\(path)")
        }
        let found = json(script.graph("Resources | where tags.here == 'yes' | project name | order by name asc"))
        #expect((found["data"]?.array ?? []).map { $0.string("name") } == names)
        #expect(script.call("DELETE", group).status == 202)
        #expect(script.world.trackedResources(inGroup: "other").isEmpty)
        #expect(script.names("\(subscription)/resources").sorted() == ["plan", "skls-logs"])
    }

    @Test func `a group's deletion also takes what is being made or is busy`() {
        var script = WorldScript {
            $0.latencyScale = 1
            $0.web.writes = .accepted
            $0.web.deleteLag = .seconds(600)
        }
        let farm = "\(WorldScript.group)/providers/Microsoft.Web/serverfarms/new"
        _ = script.arm("PUT", farm, body: #"{"location":"eastus","sku":{"name":"EP1"}}"#)
        #expect(script.put("site").status == 202)
        #expect(script.names("\(WorldScript.group)/resources").sorted() == ["plan", "skls-logs"])
        _ = script.call("DELETE", WorldScript.group)
        script.advance(.seconds(120))
        #expect(script.world.plans.isEmpty && script.world.site("site", group: "skls") == nil)
        // The site holds its name, and is among the deleted ones.
        #expect(json(script.put("site", group: "other")).string("Message").hasPrefix("Website with given name"))
        #expect(script.world.deletedSites.map(\.name) == ["site"])
        script.advance(.seconds(600))
        _ = script.call("GET", "\(subscription)/resources")
        #expect(script.world.sites.isEmpty)
    }

    @Test func `without latency a deleted group is gone at once`() {
        var script = WorldScript()
        let deletion = script.call("DELETE", "\(subscription)/resourceGroups/other")
        #expect(deletion.status == 202 && deletion.header("Retry-After") == "0")
        #expect(script.follow(deletion.header("Location") ?? "").status == 200)
        #expect(script.call("HEAD", "\(subscription)/resourceGroups/other").status == 404)
    }

    // MARK: Providers

    @Test func `an unregistered provider takes nothing until its registration has ended`() {
        var script = WorldScript {
            $0.unregisteredProviders = ["microsoft.STORAGE"]
            $0.latencyScale = 1
        }
        let path = "\(subscription)/providers/Microsoft.Storage"
        func state(_ reply: Reply) -> String { json(reply).string("registrationState") }
        #expect(state(script.call("GET", path)) == "NotRegistered")
        #expect(script.createAccount("account1").errorCode == "MissingSubscriptionRegistration")
        #expect(script.names(WorldScript.group + "/providers/Microsoft.Storage/storageAccounts").isEmpty)
        #expect(state(script.call("POST", "\(path)/register")) == "Registering")
        #expect(script.createAccount("account1").errorCode == "MissingSubscriptionRegistration")
        script.advance(.seconds(60))
        #expect(state(script.call("GET", path)) == "Registered")
        #expect(script.createAccount("account1").status == 202)
        #expect(state(script.call("POST", "\(path)/unregister")) == "NotRegistered")
        #expect(
            script.call("GET", "\(subscription)/providers/Microsoft.Nothing").errorCode == "InvalidResourceNamespace")
    }

    @Test func `providers are listed with their types and versions`() {
        var script = WorldScript()
        let all = json(script.call("GET", "\(subscription)/providers"))["value"]?.array ?? []
        let web = all.first { $0.string("namespace") == "Microsoft.Web" }
        #expect(web?.string("registrationState") == "Registered")
        let sites = web?["resourceTypes"]?.array?.first { $0.string("resourceType") == "sites" }
        #expect(sites?["apiVersions"]?.array?.first?.string == World.webVersions.last)
    }

    // MARK: Lists of resources

    @Test func `resources of every type are listed, filtered and paged`() {
        var script = WorldScript(pageSize: 2)
        for name in ["site-b", "site-a"] { _ = script.put(name) }
        script.createAccount("account1", tags: #"{"Team":"x","o'k":"y"}"#)
        _ = script.call("PUT", WorldScript.identity("identity1"), body: #"{"location":"westus"}"#)
        _ = script.call(
            "PUT", WorldScript.site("site-c", group: "other"),
            body: WorldScript.body(
                plan: "/subscriptions/sub/resourceGroups/skls/providers/Microsoft.Web/serverfarms/plan"))
        let all = "\(subscription)/resources"
        #expect(
            script.names(all).sorted() == ["account1", "identity1", "plan", "site-a", "site-b", "site-c", "skls-logs"])
        #expect(
            script.names("\(WorldScript.group)/resources").sorted()
                == ["account1", "identity1", "plan", "site-a", "site-b", "skls-logs"])
        func filtered(_ filter: String) -> [String] {
            script.names(all, query: "%24filter=\(URLText.encode(filter))").sorted()
        }
        #expect(filtered("resourceType eq 'microsoft.web/SITES'") == ["site-a", "site-b", "site-c"])
        #expect(filtered("resourceType eq 'Microsoft.Web/sites' and resourceGroup eq 'OTHER'") == ["site-c"])
        #expect(filtered("name ne 'plan' and location eq 'westus'") == ["identity1"])
        #expect(filtered("substringof('te-', name)") == ["site-a", "site-b", "site-c"])
        #expect(filtered("name eq 'plan' or name eq 'account1'") == ["account1", "plan"])
        #expect(filtered("tagName eq 'team' and tagValue eq 'x'") == ["account1"])
        #expect(filtered("tagName eq 'team' and tagValue eq 'y'") == [])
        #expect(filtered("tagName eq 'o''k'") == ["account1"])
        #expect(filtered("startswith(tagName,'Te')") == ["account1"])
        let byTag = json(script.call("GET", all, query: "%24filter=tagName%20eq%20'team'"))
        #expect(byTag["value"]?.array?.first?["tags"] == nil)
        for wrong in [
            "tagName eq 'team' and resourceType eq 'x'", "tagName eq 'team' and resourceGroup eq 'skls'",
            "tagName eq 'a' or tagName eq 'b'", "name eq", "name gt 'x'", "name eq 'x", "'x'", "foo eq 'x'",
            "substringof(name,'x')", "name eq 'x' and", "🙂",
        ] {
            #expect(
                script.call("GET", all, query: "%24filter=\(URLText.encode(wrong))").errorCode
                    == "InvalidFilterInQueryString", "\(wrong)")
        }
    }

    @Test func `a resource of any type is there or not`() {
        var script = WorldScript()
        _ = script.put("site-a")
        script.createAccount("account1")
        for path in [WorldScript.site("Site-A"), WorldScript.storage("account1")] {
            let there = script.call("HEAD", path)
            #expect(there.status == 204 && there.body.isEmpty)
            let missing = script.call("HEAD", path + "x")
            #expect(missing.status == 404 && missing.body.isEmpty)
        }
    }

    @Test func `any filter is answered or refused`() {
        var script = WorldScript()
        _ = script.put("site-a")
        var random = SeededGenerator(seed: 5)
        let pieces = [
            "name", "tagName", "resourceType", " eq ", " ne ", " and ", " or ", "'", "''", "'x'", "(", ")", ",", " ",
            "substringof", "startswith", "\u{0}", "é", "%",
        ]
        var answered = 0
        for _ in 0..<3_000 {
            let filter = (0..<Int.random(in: 0...9, using: &random)).map { _ in
                pieces.randomElement(using: &random) ?? ""
            }.joined()
            let call = ResourceCall(
                path: ResourcePath(path: "/subscriptions/sub/resources"), method: "GET",
                query: [("$filter", filter)], version: "2021-04-01",
                request: ControlRequest(method: "GET", path: "/subscriptions/sub/resources"))
            let reply = script.world.listResources(call)
            #expect(reply.status == 200 || reply.errorCode == "InvalidFilterInQueryString", "\(filter)")
            if reply.status == 200 { answered += 1 }
        }
        #expect(answered > 0)
    }

    @Test func `a listed resource has its sku, tags and region but no properties`() {
        var script = WorldScript()
        script.createAccount("account1", tags: #"{"a":"1"}"#)
        _ = script.put("site-a")
        let list = json(
            script.call(
                "GET", "\(subscription)/resources", query: "%24expand=createdTime,changedTime,provisioningState"))
        let account = list["value"]?.array?.first { $0.string("name") == "account1" }
        #expect(account?["sku"] == ["name": "Standard_LRS", "tier": "Standard"])
        #expect(account?["tags"] == ["a": "1"] && account?["properties"] == nil)
        #expect(account?.string("createdTime") == "2026-09-21T14:13:20.0000000Z")
        #expect(account?.string("provisioningState") == "Succeeded")
        let site = list["value"]?.array?.first { $0.string("name") == "site-a" }
        #expect(site?.string("location") == "eastus" && site?.string("kind") == "functionapp,linux,container")
        #expect(
            script.call("GET", "\(subscription)/resources", query: "%24expand=secrets").errorCode
                == "InvalidExpandInQueryString")
        let first = json(script.call("GET", "\(subscription)/resources", query: "%24top=1"))
        #expect(first["value"]?.array?.count == 1 && first["nextLink"]?.string?.contains("%24top=1") == true)
        #expect(script.call("GET", "\(subscription)/resources", query: "%24top=0").status == 400)
        #expect(
            script.call("GET", "\(subscription)/resources", query: "%24skiptoken=!").errorCode == "InvalidSkipToken")
    }

    // MARK: Tags

    @Test func `tags of a running site are merged without a restart`() {
        var script = WorldScript()
        _ = script.put("site-a", body: WorldScript.body(tags: ["keep": "1", "Old": "2"]))
        script.advance(.seconds(5))
        let path = WorldScript.site("site-a", suffix: "/providers/Microsoft.Resources/tags/default")
        let patch = #"{"operation":"Merge","properties":{"tags":{"old":"3","new":"4"}}}"#
        let reply = script.call("PATCH", path, body: patch)
        #expect(reply.status == 200 && script.started == nil && script.last.count == 1)
        #expect(json(reply)["properties"]?["tags"] == ["Old": "3", "keep": "1", "new": "4"])
        #expect(json(reply).string("id").lowercased() == path.lowercased())
        let site = json(script.call("GET", WorldScript.site("site-a")))
        #expect(site["tags"] == ["Old": "3", "keep": "1", "new": "4"])
        #expect(site["properties"]?.string("lastModifiedTimeUtc") == "2026-09-21T14:13:25")

        let delete = #"{"operation":"Delete","properties":{"tags":{"keep":"1","new":"other"}}}"#
        #expect(json(script.call("PATCH", path, body: delete))["properties"]?["tags"] == ["Old": "3", "new": "4"])
        let replace = #"{"operation":"Replace","properties":{"tags":{"only":"1"}}}"#
        #expect(json(script.call("PATCH", path, body: replace))["properties"]?["tags"] == ["only": "1"])
        #expect(script.call("PATCH", path, body: #"{"operation":"Twist"}"#).status == 400)
        #expect(script.call("PUT", path, body: #"{"properties":{"tags":{"put":"1"}}}"#).status == 200)
        #expect(json(script.call("GET", path))["properties"]?["tags"] == ["put": "1"])
        #expect(script.call("DELETE", path).status == 200)
        #expect(json(script.call("GET", path))["properties"]?["tags"] == [:])
        let missing = WorldScript.site("nosuch", suffix: "/providers/Microsoft.Resources/tags/default")
        #expect(script.call("PATCH", missing, body: patch).errorCode == "ResourceNotFound")
    }

    @Test func `groups, accounts, identities and the subscription have tags too`() {
        var script = WorldScript()
        script.createAccount("account1")
        _ = script.call("PUT", WorldScript.identity("identity1"), body: #"{"location":"eastus"}"#)
        let patch = #"{"operation":"merge","properties":{"tags":{"a":"1"}}}"#
        for scope in [
            "/subscriptions/sub", WorldScript.group, WorldScript.storage("account1"), WorldScript.identity("identity1"),
        ] {
            let path = "\(scope)/providers/Microsoft.Resources/tags/default"
            #expect(script.call("PATCH", path, body: patch).status == 200)
            #expect(json(script.call("GET", scope))["tags"] == ["a": "1"])
        }
        let many = (0...50).map { #""t\#($0)":"x""# }.joined(separator: ",")
        let path = "\(WorldScript.group)/providers/Microsoft.Resources/tags/default"
        #expect(
            script.call("PUT", path, body: #"{"properties":{"tags":{\#(many)}}}"#).errorCode == "InvalidTagCount")
    }

    @Test func `what Resource Manager keeps outlives the process`() throws {
        var script = WorldScript { $0.unregisteredProviders = ["Microsoft.Storage"] }
        _ = script.call("POST", "\(subscription)/providers/Microsoft.Storage/register")
        _ = script.call("PUT", "\(subscription)/resourceGroups/new", body: #"{"location":"eastus","tags":{"a":"1"}}"#)
        script.createAccount("account1")
        _ = script.call("PUT", WorldScript.storage("account1", "/fileServices/default/shares/share1"), body: "{}")
        _ = script.call("PUT", WorldScript.identity("identity1"), body: #"{"location":"eastus"}"#)
        _ = script.call("DELETE", "\(subscription)/resourceGroups/other")
        let keys = script.call("POST", WorldScript.storage("account1", "/listKeys")).body
        let identity = script.call("GET", WorldScript.identity("identity1")).body

        let snapshot = try script.world.snapshot()
        var later = WorldScript(seed: 2) { $0.unregisteredProviders = ["Microsoft.Storage"] }
        _ = try later.world.restore(snapshot, at: later.now)
        #expect(later.names("\(subscription)/resourcegroups") == ["new", "skls"])
        #expect(later.call("POST", WorldScript.storage("account1", "/listKeys")).body == keys)
        #expect(later.call("GET", WorldScript.identity("identity1")).body == identity)
        #expect(later.names(WorldScript.storage("account1", "/fileServices/default/shares")) == ["share1"])
        #expect(later.createAccount("account2").status == 202)
    }
}
