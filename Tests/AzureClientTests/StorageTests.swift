import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import Testing

@testable import AzureClient

@Suite(.timeLimit(.minutes(1))) struct StorageTests {
    static let base = ResourceGroupsTests.group + "/providers/Microsoft.Storage/storageAccounts/"

    /// The fields and casing of a recorded reply of 2021-09-01 (Azure/azure-cli); names are invented.
    static let recorded = """
        {"sku":{"name":"Standard_LRS","tier":"Standard"},"kind":"StorageV2",
        "id":"/subscriptions/\(Sample.subscription)/resourceGroups/containers/providers/Microsoft.Storage/storageAccounts/sample1",
        "name":"sample1","type":"Microsoft.Storage/storageAccounts","location":"westeurope","tags":{"a":"1"},
        "properties":{"keyCreationTime":{"key1":"2022-05-05T09:23:09.3248055Z","key2":null},
        "minimumTlsVersion":"TLS1_2","allowBlobPublicAccess":false,"allowSharedKeyAccess":true,
        "provisioningState":"Succeeded","primaryEndpoints":{"blob":"https://sample1.blob.core.windows.net/",
        "file":"https://sample1.file.core.windows.net/"},"primaryLocation":"westeurope"}}
        """

    static func name(_ text: String = "sample1") throws -> StorageAccountName {
        guard let name = StorageAccountName(rawValue: text) else { throw Sample.Missing() }
        return name
    }

    @Test func `an account is created by an operation that is followed to its end`() async throws {
        let location =
            "https://management.example/subscriptions/s/providers/Microsoft.Storage/locations/x/asyncoperations/1?monitor=true&t=sig"
        let answers = NIOLockedValueBox([
            AzureReply.json(202, "", headers: ["location": location, "retry-after": "17"]),
            .json(202, "", headers: ["location": location, "retry-after": "3"]), .json(200, Self.recorded),
        ])
        let transport = ScriptedTransport { _, _ in answers.withLockedValue { $0.removeFirst() } }
        let waits = NIOLockedValueBox<[Duration]>([])
        let client = try Sample.client(transport, waits: waits)
        let account = try await client.createStorageAccount(
            try Self.name(),
            StorageAccountRequest(location: "westeurope", tags: ["a": "1"], allowSharedKeyAccess: true),
            correlationID: Sample.correlation)
        #expect(account.name == "sample1" && account.skuName == "Standard_LRS" && account.kind == "StorageV2")
        #expect(account.fileEndpoint == "https://sample1.file.core.windows.net/" && account.tags == ["a": "1"])
        #expect(account.provisioningState == "Succeeded" && account.allowSharedKeyAccess == true)
        #expect(account.properties["keyCreationTime"]?["key2"] == .null)
        #expect(waits.withLockedValue(\.self) == [.seconds(17), .seconds(3)])
        #expect(transport.requests.map(\.url) == [Self.base + "sample1?api-version=2023-01-01", location, location])
        #expect(
            transport.requests.first?.body.map { String(buffer: $0) }
                == #"{"kind":"StorageV2","location":"westeurope","properties":{"allowBlobPublicAccess":false,"#
                + #""allowSharedKeyAccess":true,"minimumTlsVersion":"TLS1_2","supportsHttpsTrafficOnly":true},"#
                + #""sku":{"name":"Standard_LRS"},"tags":{"a":"1"}}"#)
    }

    @Test func `a name that somebody else has is taken`() async throws {
        let client = try Sample.client(
            ScriptedTransport { _, _ in .json(409, AzureErrorTests.arm("StorageAccountAlreadyTaken")) })
        let name = try Self.name()
        let error = try await failure { () throws(AzureError) in
            try await client.createStorageAccount(
                name, StorageAccountRequest(location: "x"), correlationID: Sample.correlation)
        }
        #expect(error.code == .nameTaken && !error.effectIsUnknown)
        let (free, post) = try await ResourceGroupsTests.asking(200, #"{"nameAvailable":true}"#) {
            client throws(AzureError) in
            try await client.storageNameAvailability("sample1", correlationID: Sample.correlation)
        }
        #expect(free == NameAvailability(isAvailable: true) && !post.isWrite)
        #expect(
            post.url
                == ResourceGroupsTests.subscription
                + "/providers/Microsoft.Storage/checkNameAvailability?api-version=2023-01-01")
        #expect(
            post.body.map { String(buffer: $0) }
                == #"{"name":"sample1","type":"Microsoft.Storage/storageAccounts"}"#)
        let (taken, _) = try await ResourceGroupsTests.asking(
            200, #"{"nameAvailable":false,"reason":"Novel","message":"m"}"#
        ) { client throws(AzureError) in
            try await client.storageNameAvailability("sample1", correlationID: Sample.correlation)
        }
        #expect(taken == NameAvailability(isAvailable: false, reason: "Novel", message: "m"))
    }

    @Test func `keys are read and do not print`() async throws {
        let name = try Self.name()
        let (keys, post) = try await ResourceGroupsTests.asking(
            200, #"{"keys":[{"keyName":"key1","value":"canary==","permissions":"FULL","creationTime":"x"}]}"#
        ) { client throws(AzureError) in
            try await client.storageAccountKeys(name, correlationID: Sample.correlation)
        }
        #expect(post.method == .POST && post.url == Self.base + "sample1/listKeys?api-version=2023-01-01")
        #expect(!post.isWrite && keys.map(\.name) == ["key1"] && keys.first?.permissions == "FULL")
        #expect(keys.first?.value.reveal() == "canary==" && !"\(keys)".contains("canary"))
    }

    @Test func `shares are put, read, listed and deleted below their account`() async throws {
        let name = try Self.name()
        let share = try #require(FileShareName(rawValue: "data-1"))
        let document = """
            {"id":"/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/sample1/fileServices/default/shares/data-1",
            "name":"data-1","type":"Microsoft.Storage/storageAccounts/fileServices/shares","etag":"\\"0x8D\\"",
            "properties":{"leaseStatus":"unlocked","accessTier":"Novel","shareQuota":5,"metadata":{"k":"v"}}}
            """
        let path = Self.base + "sample1/fileServices/default/shares"
        let (made, put) = try await ResourceGroupsTests.asking(201, document) { client throws(AzureError) in
            try await client.putFileShare(
                share, in: name, quotaGiB: 5, metadata: ["k": "v"], correlationID: Sample.correlation)
        }
        #expect(made.quotaGiB == 5 && made.accessTier == "Novel" && made.metadata == ["k": "v"])
        #expect(put.url == path + "/data-1?api-version=2023-01-01" && put.isWrite)
        #expect(
            put.body.map { String(buffer: $0) } == #"{"properties":{"metadata":{"k":"v"},"shareQuota":5}}"#)
        let (absent, _) = try await ResourceGroupsTests.asking(404, AzureErrorTests.arm("ShareNotFound")) {
            client throws(AzureError) in
            try await client.fileShare(share, in: name, correlationID: Sample.correlation)
        }
        #expect(absent == nil)
        let (listed, get) = try await ResourceGroupsTests.asking(200, #"{"value":[\#(document)]}"#) {
            client throws(AzureError) in
            try await client.listFileShares(in: name, correlationID: Sample.correlation)
        }
        #expect(listed.map(\.name) == ["data-1"] && get.url == path + "?api-version=2023-01-01")
        for (status, outcome) in [(200, DeleteOutcome.deleted), (204, .absent)] {
            let (deleted, delete) = try await ResourceGroupsTests.asking(status, "") { client throws(AzureError) in
                try await client.deleteFileShare(share, in: name, correlationID: Sample.correlation)
            }
            #expect(deleted == outcome && delete.method == .DELETE && delete.isWrite)
        }
    }

    @Test func `names are those that Azure takes`() {
        for name in ["ab", "Upper1", "with-hyphen", "é12", String(repeating: "a", count: 25)] {
            #expect(StorageAccountName(rawValue: name) == nil)
        }
        #expect(StorageAccountName(rawValue: "abc") != nil)
        for name in ["ab", "-abc", "abc-", "a--b", "Abc", "a_b"] { #expect(FileShareName(rawValue: name) == nil) }
        #expect(FileShareName(rawValue: "a-b-c1") != nil)
        for name in ["ab", "-abc", "a b", "é12"] { #expect(IdentityName(rawValue: name) == nil) }
        #expect(IdentityName(rawValue: "a_b-c") != nil)
    }
}
