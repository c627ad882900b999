import Foundation
import Testing

@testable import AzureSimulator

/// What real replies were seen to hold (Tests/Fixtures/Recorded), against what the simulator answers to the same calls.
struct RecordedRepliesTests {
    /// A recorded reply: its request, status, the names of its headers, and a body with invented values.
    struct Recorded {
        let method: String
        let status: Int
        let headers: Set<String>
        let body: JSON

        init(_ name: String) throws {
            let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .appendingPathComponent("Fixtures/Recorded/\(name).json")
            let fixture = try JSON(parsing: Array(try Data(contentsOf: file)))
            method = try #require(fixture["method"]?.string)
            guard case .number(let code) = fixture["status"] else { throw CocoaError(.fileReadCorruptFile) }
            status = try #require(Int(code))
            headers = Set((fixture["headers"]?.array ?? []).compactMap(\.string))
            body = try #require(fixture["body"])
        }
    }

    /// Where the two bodies differ in fields, casing or kinds of value, in order. Values are the fixture's own. A null
    /// says nothing of its kind, and the members of the objects in `free` are data and not fields.
    static func differences(recorded: JSON, simulated: JSON, at path: String = "", free: Set<String> = []) -> [String] {
        switch (recorded, simulated) {
        case (.null, _), (_, .null): return []
        case (.object(let left), .object(let right)):
            if free.contains(path) { return [] }
            let names = Set(right.map(\.name))
            var found: [String] = []
            for member in left {
                let place = path.isEmpty ? member.name : "\(path).\(member.name)"
                guard names.contains(member.name) else {
                    found.append("- \(place)")
                    continue
                }
                if let value = right.first(where: { $0.name == member.name })?.value {
                    found += differences(recorded: member.value, simulated: value, at: place, free: free)
                }
            }
            let known = Set(left.map(\.name))
            for member in right where !known.contains(member.name) {
                found.append("+ \(path.isEmpty ? member.name : "\(path).\(member.name)")")
            }
            return found
        case (.array(let left), .array(let right)):
            guard let first = left.first, let other = right.first else { return [] }
            return differences(recorded: first, simulated: other, at: path + "[]", free: free)
        case (.string, .string), (.number, .number), (.bool, .bool): return []
        default: return ["~ \(path)"]
        }
    }

    // MARK: The calls

    /// Headers that the HTTP server or a proxy writes, not Azure.
    private static let transport: Set<String> = [
        "content-length", "date", "server", "transfer-encoding", "vary", "x-cache", "x-msedge-ref", "request-context",
        "access-control-expose-headers", "x-ms-operation-identifier",
    ]

    private struct Call: CustomTestStringConvertible {
        /// The fixture.
        let name: String
        let path: String
        var body = ""
        /// A fixture of the same resource in a later version: every version is answered alike, so what that one has more
        /// is no difference.
        var later: String?
        /// What is known to differ, `-` missing here, `+` only here, `~` of another kind; docs/simulator.md says why.
        var differs: [String] = []
        /// Objects whose members are data and not fields.
        var free: Set<String> = ["tags"]
        var testDescription: String { name }
    }

    /// Members of replies of 2025-05, which have no fixture here.
    private static let newest = ["+ properties.afdEnabled", "+ properties.siteConfig.sandboxType"]

    private static let newestConfiguration = [
        "clusteringEnabled", "elasticWebAppScaleLimit", "ipSecurityRestrictionsDefaultAction", "sandboxType",
        "scmIpSecurityRestrictionsDefaultAction", "scmMinTlsCipherSuite", "scmSupportedTlsCipherSuites",
        "sitePrivateLinkHostEnabled", "windowsConfiguredStacks",
    ].map { "+ properties.\($0)" }

    private static let site = WorldScript.site("example-app")
    private static let plan = "/subscriptions/sub/resourceGroups/skls/providers/Microsoft.Web/serverfarms/example-plan"

    private static let calls = [
        Call(name: "site-put", path: site, body: WorldScript.body(tags: [:]), later: "site-put-2025", differs: newest),
        Call(name: "site-get", path: site, later: "site-put-2025", differs: newest),
        Call(name: "site-put-2025", path: site, body: WorldScript.body(tags: [:]), differs: newest),
        Call(name: "config-web-get", path: site + "/config/web", differs: newestConfiguration),
        Call(
            name: "config-web-patch", path: site + "/config/web",
            body: #"{"properties":{"linuxFxVersion":" "}}"#, differs: newestConfiguration),
        Call(name: "appsettings-list", path: site + "/config/appsettings/list", free: ["properties"]),
        Call(
            name: "appsettings-put", path: site + "/config/appsettings", body: #"{"properties":{"A":"1"}}"#,
            free: ["properties"]),
        Call(name: "slot-config-names-get", path: site + "/config/slotConfigNames"),
        Call(
            name: "plan-put", path: plan,
            body: #"{"location":"eastus","properties":{"reserved":true},"sku":{"name":"S1","tier":"STANDARD"}}"#,
            later: "plan-put-2026"),
        Call(
            name: "plan-put-2026", path: plan,
            body: #"{"location":"eastus","sku":{"name":"EP2","tier":"ElasticPremium","capacity":3}}"#),
        Call(name: "resource-group-get-2026", path: "/subscriptions/sub/resourcegroups/skls"),
    ]

    @Test(arguments: calls)
    private func `a reply has the fields, the headers and the status of the recorded one`(_ call: Call) throws {
        let recorded = try Recorded(call.name)
        var script = WorldScript()
        _ = script.put("example-app", body: WorldScript.body(tags: [:]))
        let reply = script.arm(recorded.method, call.path, body: call.body)
        #expect(reply.status == recorded.status)
        let later = try call.later.map { name in
            let body = try Recorded(name).body
            return Set(Self.differences(recorded: recorded.body, simulated: body).filter { $0.hasPrefix("+") })
        }
        let found = Self.differences(recorded: recorded.body, simulated: json(reply), free: call.free)
            .filter { later?.contains($0) != true }
        #expect(found.sorted() == call.differs.sorted())
        let missing = recorded.headers.subtracting(Self.transport).subtracting(
            reply.headers.map { $0.name.lowercased() })
        #expect(missing.isEmpty)
    }
}
