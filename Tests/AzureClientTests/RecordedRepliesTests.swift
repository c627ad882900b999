import Foundation
import NIOCore
import NIOHTTP1
import Testing

@testable import AzureClient

/// What the client reads out of real replies (Tests/Fixtures/Recorded; values are invented, shapes are not).
struct RecordedRepliesTests {
    /// A client to whom one recorded reply is the answer to everything.
    private func client(_ name: String) throws -> (client: AzureClient, transport: ScriptedTransport) {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Fixtures/Recorded/\(name).json")
        let fixture = try JSONValue(parsing: try Data(contentsOf: file))
        let status = try #require(fixture["status"]?.integer)
        let body = try JSONEncoder().encode(try #require(fixture["body"]))
        // Of the headers only the names were recorded; these values make them readable.
        var headers = HTTPHeaders()
        for name in fixture["headers"]?.array ?? [] {
            guard let name = name.string else { throw Sample.Missing() }
            headers.add(name: name, value: name.hasPrefix("x-ms-ratelimit") ? "499" : "recorded")
        }
        let transport = ScriptedTransport { [headers] (_, _) throws(AzureError) in
            AzureReply(
                status: Int(status), headers: headers, body: ByteBuffer(bytes: body), requestID: .testing)
        }
        return (try Sample.client(transport), transport)
    }

    private let siteID = """
        /subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/example/providers/Microsoft.Web/sites/example-app
        """
    private let planID = """
        /subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/example/providers/Microsoft.Web/serverfarms/\
        example-plan
        """

    private func written(_ name: String) async throws -> Site {
        let outcome = try await client(name).client.putSite(
            Sample.name("example-app"), Sample.siteRequest(), correlationID: Sample.correlation)
        // No operation is followed: 200 without a header for one is the end, whatever the body still lacks.
        guard case .finished(let site) = outcome else { throw Sample.Missing() }
        return site
    }

    @Test func `a written site is finished, and its answer shows the image as it was`() async throws {
        let site = try await written("site-put")
        #expect(site.resourceID == ResourceID(siteID) && site.serverFarmID == ResourceID(planID))
        #expect(site.isNamed(try Sample.name("Example-App")) && site.kind == "functionapp,linux")
        #expect(site.location == "Brazil South" && site.state == "Running" && site.enabled == true)
        #expect(site.defaultHostName == "example-app.azurewebsites.net")
        #expect(site.lastModifiedTime == "2022-07-11T19:22:39.1566667")
        // The request named an image; neither an empty text nor a null is one.
        #expect(site.linuxFxVersion?.hasPrefix("DOCKER|") != true)
        #expect(site.tags.isEmpty && site.identities.isEmpty && site.managedEnvironmentID == nil)
    }

    @Test func `the answer of a later version reads the same, and what is new in it is kept`() async throws {
        let site = try await written("site-put-2025")
        #expect(site.kind == "functionapp" && site.location == "France Central")
        #expect(site.lastModifiedTime == "2025-01-02T17:37:44.61" && site.serverFarmID == ResourceID(planID))
        #expect(site.properties["contentAvailabilityState"]?.string == "Normal")
    }

    @Test func `a site that is read shows what was written`() async throws {
        let found = try await client("site-get").client.getSite(
            Sample.name("example-app"), correlationID: Sample.correlation)
        let site = try #require(found)
        #expect(site.resourceID == ResourceID(siteID) && site.kind == "functionapp,linux")
        #expect(site.linuxFxVersion == "Node|14" && site.lastModifiedTime == "2022-07-11T19:23:26.67")
        #expect(site.properties["siteConfig"]?["alwaysOn"]?.bool == true)
        #expect(site.properties["reserved"]?.bool == true)
        // Settings are never part of it, whoever asks.
        #expect(site.properties["siteConfig"]?["appSettings"] == .null)
    }

    @Test func `the configuration holds the fields that drift is looked for in`() async throws {
        let config = try await client("config-web-get").client.webConfig(
            Sample.name("example-app"), correlationID: Sample.correlation)
        #expect(config["linuxFxVersion"]?.string == "DOCKER|example.azurecr.io/image-name:latest")
        #expect(config["alwaysOn"]?.bool == true && config["webSocketsEnabled"]?.bool == false)
        for name in ["numberOfWorkers", "functionAppScaleLimit", "minimumElasticInstanceCount"] {
            #expect(config[name]?.integer != nil, "\(name)")
        }
        #expect(config["acrUseManagedIdentityCreds"]?.bool == false && config["acrUserManagedIdentityID"] == .null)
    }

    @Test func `settings are read by name, and none of them prints`() async throws {
        let (client, transport) = try client("appsettings-list")
        let settings = try await client.listAppSettings(
            Sample.name("example-app"), correlationID: Sample.correlation)
        #expect(settings.count == 10 && settings["WEBSITES_ENABLE_APP_SERVICE_STORAGE"]?.reveal() == "false")
        #expect(settings["AzureWebJobsStorage"]?.reveal().hasSuffix("AccountKey=invented") == true)
        #expect(!"\(settings)".contains("invented"))
        #expect(transport.requests.map(\.method) == [.POST])
    }

    @Test func `a Linux plan runs containers, and a Windows one of Elastic Premium does not`() async throws {
        let id = try #require(ResourceID(planID))
        let linux = try #require(try await client("plan-put").client.getPlan(id, correlationID: Sample.correlation))
        #expect(linux.skuName == "S1" && linux.skuTier == "Standard" && linux.capacity == 1)
        #expect(linux.kind == "linux" && linux.reserved == true && linux.numberOfSites == 0)
        #expect(linux.provisioningState == "Succeeded" && linux.resourceID == id)
        #expect(try linux.containerFamily(location: "japanwest", addedSites: 1) == .dedicated)

        var elastic = try #require(
            try await client("plan-put-2026").client.getPlan(id, correlationID: Sample.correlation))
        #expect(elastic.skuName == "EP2" && elastic.skuTier == "ElasticPremium" && elastic.capacity == 3)
        #expect(elastic.kind == "elastic" && elastic.reserved == false && elastic.location == "eastus")
        #expect(elastic.properties["zoneRedundant"]?.bool == true)
        #expect(throws: PlanRefusal.self) { try elastic.containerFamily(location: "eastus") }
        elastic.reserved = true
        // Several machines are no hindrance there: the site's own limit holds.
        #expect(try elastic.containerFamily(location: "East US") == .elasticPremium)
    }

    @Test func `a resource group is read, with its tags`() async throws {
        let group = try #require(
            try await client("resource-group-get-2026").client.resourceGroup(correlationID: Sample.correlation))
        #expect(group.name == "example" && group.location == "eastus" && group.tags == ["purpose": "example"])
        #expect(group.provisioningState == "Succeeded" && !group.isDeleting)
    }

    @Test func `the keys of a storage account are read and do not print`() async throws {
        let name = try #require(StorageAccountName(rawValue: "example"))
        let keys = try await client("storage-list-keys").client.storageAccountKeys(
            name, correlationID: Sample.correlation)
        #expect(keys.map(\.name) == ["key1", "key2"] && keys.allSatisfy { $0.value.reveal() == "invented" })
        #expect(keys.allSatisfy { $0.permissions == "FULL" } && !"\(keys)".contains("invented"))
    }

    @Test func `a count of recorded headers that is above our own holds nothing back`() async throws {
        let (client, _) = try client("appsettings-list")
        _ = try await client.listAppSettings(Sample.name("example-app"), correlationID: Sample.correlation)
        // A provider's count of unknown size, above our own: nothing is held back for it.
        let writes = try #require(client.budgets().first { $0.name.hasSuffix("writes") })
        #expect(writes.frozenFor == nil && writes.remaining == writes.burst - 1)
    }
}
