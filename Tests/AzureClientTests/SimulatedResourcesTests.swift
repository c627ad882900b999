import AzureSimulator
import Testing

@testable import AzureClient

/// Groups, Resource Graph, storage and identities against the simulated Azure over HTTP.
@Suite(.timeLimit(.minutes(1))) struct SimulatedResourcesTests {
    /// A client that does not wait between its looks at an operation.
    private func client(_ simulated: SimulatedAzure, group: String? = nil) throws -> AzureClient {
        let environment = try AzureEnvironment(
            resourceManager: simulated.url, authority: simulated.url, audience: "https://management.azure.com")
        let configuration = simulated.configuration
        return AzureClient(
            environment: environment,
            scope: try AzureScope(
                subscriptionID: configuration.subscriptionID, resourceGroup: group ?? configuration.resourceGroup),
            credential: ClientSecretCredential(
                environment: environment, tenant: configuration.tenantID, clientID: configuration.clientID,
                secret: Secret(configuration.clientSecret.revealed), transport: simulated.transport),
            sending: simulated.transport, pacing: Pacing(pause: { _ in }, jitter: { 0 }))
    }

    @Test func `a group is made, found and listed, and the provider is registered`() async throws {
        try await withSimulator { simulated in
            let client = try client(simulated, group: "new")
            #expect(try await client.resourceGroup(correlationID: Sample.correlation) == nil)
            let made = try await client.putResourceGroup(
                location: "westus", tags: ["a": "1"], correlationID: Sample.correlation)
            #expect(made.location == "westus" && made.name == "new" && made.resourceID == client.scope.group)
            #expect(try await client.resourceGroup(correlationID: Sample.correlation) == made)
            let tagged = try await client.listResourceGroups(
                tagged: ("a", "1"), correlationID: Sample.correlation)
            #expect(tagged == [made])
            #expect(try await client.listResourceGroups(correlationID: Sample.correlation).count == 2)
            let error = try await failure { () throws(AzureError) in
                try await client.putResourceGroup(location: "eastus", correlationID: Sample.correlation)
            }
            #expect(error.code == .conflict)
            let subscription = try await client.subscription(correlationID: Sample.correlation)
            #expect(subscription?.id == simulated.configuration.subscriptionID && subscription?.state == "Enabled")
            #expect(try await client.provider("Microsoft.Web", correlationID: Sample.correlation).isRegistered)
            #expect(try await client.registerProvider("Microsoft.Web", correlationID: Sample.correlation).isRegistered)
        }
    }

    @Test func `tags of a site are merged, and sweeps of both kinds find it`() async throws {
        try await withSimulator {
            $0.pageSize = 2
        } body: { simulated in
            let client = try client(simulated)
            for number in 1...5 {
                _ = try await client.putSite(
                    try Sample.name("skls-\(number)"), try simulated.request(), correlationID: Sample.correlation)
            }
            let site = simulated.scope.site(try Sample.name("skls-3"))
            let value = "it's \"quoted\" \\ | count"
            let tags = try await client.mergeTags(["note": value], on: site, correlationID: Sample.correlation)
            #expect(tags == ["managed-by": "skls", "note": value])
            #expect(try await client.tags(of: site, correlationID: Sample.correlation) == tags)
            #expect(
                try await client.removeTags(["managed-by": "skls"], on: site, correlationID: Sample.correlation)
                    == ["note": value])

            let byTag = try await client.listResources(
                .tag(name: "note", value: value), correlationID: Sample.correlation)
            #expect(byTag.map(\.name) == ["skls-3"] && byTag.first?.tags == nil)
            let byType = try await client.listResources(
                .type("Microsoft.Web/sites"), inGroup: true, correlationID: Sample.correlation)
            #expect(byType.map(\.name).sorted() == (1...5).map { "skls-\($0)" })
            #expect(byType.contains { $0.tags == ["note": value] })

            let subscriptions = [simulated.configuration.subscriptionID]
            var query = GraphQuery.sites(tag: "managed-by", value: "SKLS", subscriptions: subscriptions)
            query.pageRows = 3
            let answer = try await client.graph(query, correlationID: Sample.correlation)
            #expect(answer.isComplete && answer.rows.count == 4)
            #expect(answer.rows.allSatisfy { $0["properties"]?["state"]?.string == "Running" })
            let quoted = GraphQuery.sites(tag: "note", value: value, subscriptions: subscriptions)
            let found = try await client.graph(quoted, correlationID: Sample.correlation)
            #expect(found.rows.map { $0["name"]?.string } == ["skls-3"])
            let error = try await failure { () throws(AzureError) in
                try await client.graph(client.graphQuery("Resources | where"), correlationID: Sample.correlation)
            }
            #expect(error.code == .invalid && error.innerCode == "InvalidQuery")
        }
    }

    @Test func `an account with shares comes and goes`() async throws {
        try await withSimulator { simulated in
            let client = try client(simulated)
            let name = try StorageTests.name("account1")
            #expect(try await client.storageAccount(name, correlationID: Sample.correlation) == nil)
            let free = try await client.storageNameAvailability("account1", correlationID: Sample.correlation)
            #expect(free.isAvailable)
            let account = try await client.createStorageAccount(
                name, StorageAccountRequest(location: simulated.configuration.location, tags: ["a": "1"]),
                correlationID: Sample.correlation)
            #expect(account.provisioningState == "Succeeded" && account.tags == ["a": "1"])
            #expect(try await client.storageAccount(name, correlationID: Sample.correlation) == account)
            #expect(try await client.listStorageAccounts(correlationID: Sample.correlation) == [account])
            let keys = try await client.storageAccountKeys(name, correlationID: Sample.correlation)
            #expect(keys.map(\.name) == ["key1", "key2"] && Set(keys.map(\.value)).count == 2)
            let taken = try await client.storageNameAvailability("account1", correlationID: Sample.correlation)
            #expect(taken.reason == "AlreadyExists")

            let share = try #require(FileShareName(rawValue: "data"))
            #expect(try await client.fileShare(share, in: name, correlationID: Sample.correlation) == nil)
            let made = try await client.putFileShare(
                share, in: name, quotaGiB: 7, correlationID: Sample.correlation)
            #expect(made.quotaGiB == 7)
            #expect(try await client.fileShare(share, in: name, correlationID: Sample.correlation)?.quotaGiB == 7)
            #expect(
                try await client.listFileShares(in: name, correlationID: Sample.correlation).map(\.name) == ["data"])
            #expect(
                try await client.deleteFileShare(share, in: name, correlationID: Sample.correlation) == .deleted)
            #expect(try await client.deleteFileShare(share, in: name, correlationID: Sample.correlation) == .absent)
            #expect(try await client.deleteStorageAccount(name, correlationID: Sample.correlation) == .deleted)
            #expect(try await client.deleteStorageAccount(name, correlationID: Sample.correlation) == .absent)
            let missing = try await failure { () throws(AzureError) in
                try await client.putFileShare(share, in: name, correlationID: Sample.correlation)
            }
            #expect(missing.code == .scopeNotFound)
        }
    }

    @Test func `an identity comes and goes with its credential`() async throws {
        try await withSimulator { simulated in
            let client = try client(simulated)
            let name = try #require(IdentityName(rawValue: "runner"))
            #expect(try await client.userAssignedIdentity(name, correlationID: Sample.correlation) == nil)
            let made = try await client.putUserAssignedIdentity(
                name, location: simulated.configuration.location, correlationID: Sample.correlation)
            #expect(made.clientID != made.principalID && made.tenantID == simulated.configuration.tenantID)
            #expect(try await client.userAssignedIdentity(name, correlationID: Sample.correlation) == made)
            #expect(try await client.listUserAssignedIdentities(correlationID: Sample.correlation) == [made])
            let credential = FederatedCredential(issuer: "https://issuer.example", subject: "repo:a/b")
            try await client.putFederatedCredential(name, of: name, credential, correlationID: Sample.correlation)
            let other = try #require(IdentityName(rawValue: "other"))
            let error = try await failure { () throws(AzureError) in
                try await client.putFederatedCredential(
                    other, of: name, credential, correlationID: Sample.correlation)
            }
            #expect(error.code == .conflict)
            #expect(try await client.deleteUserAssignedIdentity(name, correlationID: Sample.correlation) == .deleted)
            #expect(try await client.deleteUserAssignedIdentity(name, correlationID: Sample.correlation) == .absent)
        }
    }
}
