import DesiredState
import Foundation
import Testing

@testable import AzureClient
@testable import Controller

/// The whole body of a PUT for each kind of hosting, against files that people can read; `Fixtures/SiteBodies/README.md` says
/// of each field where it is from.
struct SiteBodyTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("Fixtures/SiteBodies")

    private static let cases:
        [(
            file: String, ground: @Sendable () throws -> Ground, image: String,
            change: @Sendable (inout SiteDesigner.Configuration) -> Void
        )] = [
            (
                "elastic-premium", { .elasticPremium(try SiteSample.id(SiteSample.planID)) }, "alpine:3.20",
                { configuration in
                    configuration.storage = .connectionString(Secret(SiteSample.connection))
                    configuration.registry = .init(
                        server: "https://index.docker.io/v1", username: "reader", password: Secret("invented"))
                }
            ),
            (
                "elastic-premium-identity", { .elasticPremium(try SiteSample.id(SiteSample.planID)) },
                "reg.azurecr.io/job:1",
                { configuration in
                    configuration.identity = SiteSample.identity
                    configuration.storage = .account(name: "state")
                    configuration.applicationInsights = Secret(
                        "InstrumentationKey=00000000-1111-2222-3333-444444444444")
                }
            ),
            (
                "dedicated", { .dedicated(try SiteSample.id(SiteSample.planID)) }, "reg.azurecr.io/job:1",
                { configuration in
                    configuration.identity = SiteSample.identity
                    configuration.storage = .connectionString(Secret(SiteSample.connection))
                }
            ),
            (
                "container-apps", { .containerApps(try SiteSample.id(SiteSample.environmentID)) },
                "reg.azurecr.io/job:1",
                { configuration in
                    configuration.defaultPlan = nil
                    configuration.managedEnvironment = SiteSample.environmentID
                    configuration.workloadProfile = "Consumption"
                    configuration.identity = SiteSample.identity
                    configuration.storage = .account(name: "state")
                }
            ),
        ]

    @Test(arguments: cases.indices)
    func `the body is the golden one`(_ index: Int) throws {
        let (file, ground, image, change) = SiteBodyTests.cases[index]
        var record = try makeRecord(image: image)
        record.spec.azure = DesiredState.AzureSettings(appSettings: ["FLAVOUR": "sour"], tags: ["team": "blue"])
        let request = try SiteSample.designer(change).design(of: record).request(on: ground(), replacing: nil)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let body = String(decoding: try encoder.encode(SiteBody(request)), as: UTF8.self) + "\n"
        let golden = try String(
            contentsOf: SiteBodyTests.folder.appendingPathComponent(file + ".json"), encoding: .utf8)
        #expect(body == golden, "\(body)")
    }

    @Test func `every field of the golden bodies has a source`() throws {
        let table = try String(contentsOf: SiteBodyTests.folder.appendingPathComponent("README.md"), encoding: .utf8)
        let explained = Set(
            table.split(separator: "\n").filter { $0.hasPrefix("| `") }.flatMap { line in
                line.split(separator: "|").first.map {
                    $0.split(separator: "`").filter { !$0.allSatisfy { " ,".contains($0) } }
                } ?? []
            }.map(String.init))
        var used: Set<String> = []
        for (file, _, _, _) in SiteBodyTests.cases {
            let data = try Data(contentsOf: SiteBodyTests.folder.appendingPathComponent(file + ".json"))
            used.formUnion(paths(try JSONDecoder().decode(JSONValue.self, from: data)))
        }
        #expect(used.subtracting(explained).sorted() == [] && explained.subtracting(used).sorted() == [])
    }

    /// Leaves by their path; settings and tags by their names.
    private func paths(_ value: JSONValue, at path: String = "") -> [String] {
        switch value {
        case .object(let members) where path == "identity.userAssignedIdentities": members.isEmpty ? [] : [path]
        case .object(let members):
            members.flatMap { name, member in paths(member, at: path.isEmpty ? name : path + "." + name) }
        case .array(let elements): elements.compactMap { $0["name"]?.string }.map { "appSettings." + $0 }
        default: [path]
        }
    }
}
