import Testing

@testable import AzureSimulator

/// The World draws everything from its seed and its events: a long script of random events gives the same effects on
/// every run, whatever the order of dictionaries happens to be.
@Suite(.timeLimit(.minutes(2))) struct WorldPurityTests {
    /// Plays `steps` random events, and returns what came of each.
    private static func play(seed: UInt64, steps: Int, _ change: @Sendable (inout WorldSettings) -> Void) throws
        -> (effects: [[Effect]], state: [UInt8])
    {
        var script = WorldScript(seed: seed) { settings in
            settings.web.environments = [.init(name: "environment")]
            settings.logs.duplicatesPerMille = 100
            settings.pageSize = 3
            change(&settings)
        }
        var random = SeededGenerator(seed: seed)
        func pick(_ choices: [String]) -> String { choices[Int(random.next() % UInt64(choices.count))] }
        var effects: [[Effect]] = []
        var instances: [InstanceID] = []
        for _ in 0..<steps {
            let name = pick(["a1", "b1", "c1", "d1", "e1"])
            let group = pick(["skls", "other"])
            let provider = "/subscriptions/sub/resourceGroups/\(group)/providers"
            switch random.next() % 16 {
            case 0, 1: _ = script.put(name, group: group, body: WorldScript.body(tags: ["t": pick(["1", "2"])]))
            case 2:
                _ = script.arm(
                    "PUT", "\(provider)/Microsoft.Web/serverfarms/\(name)",
                    body: #"{"location":"eastus","sku":{"name":"\#(pick(["EP1", "Y1", "B1"]))"}}"#)
            case 3: _ = script.arm("DELETE", WorldScript.site(name, group: group))
            case 4: _ = script.arm("POST", WorldScript.site(name, group: group, suffix: pick(["/stop", "/start"])))
            case 5: _ = script.call("GET", pick(["\(provider)/Microsoft.Web/sites", "/subscriptions/sub/resources"]))
            case 6: _ = script.graph(pick(["Resources", "ResourceContainers | count", "Resources | project name"]))
            case 7: _ = script.visit("\(name).azurewebsites.net")
            case 8:
                guard let instance = instances.last else { break }
                _ = script.tell(.containerWrote(instance, Array("line\n".utf8)))
            case 9: if let instance = instances.last { _ = script.tell(.containerReady(instance)) }
            case 10: if let instance = instances.popLast() { _ = script.tell(.containerExited(instance)) }
            case 11:
                _ = script.call(
                    "PUT", "\(provider)/Microsoft.Storage/storageAccounts/\(name)x",
                    body: #"{"location":"eastus","kind":"StorageV2","sku":{"name":"Standard_LRS"}}"#)
            case 12:
                _ = script.logsARM(
                    pick(["PUT", "DELETE"]), "\(provider)/Microsoft.OperationalInsights/workspaces/\(name)",
                    body: #"{"location":"eastus"}"#)
            case 13: _ = script.login(secret: pick(["secret", "wrong"]))
            case 14:
                let path = "/subscriptions/sub/resourceGroups/other"
                let isThere = script.world.resourceGroup("other") != nil
                // Seldom: else there is never anything in it.
                guard !isThere || random.next().isMultiple(of: 8) else { break }
                _ = script.call(isThere ? "DELETE" : "PUT", path, body: #"{"location":"eastus"}"#)
            default: script.advance(.seconds(Int64(random.next() % 40)))
            }
            if let launch = script.started { instances.append(launch.instance) }
            effects.append(script.last)
        }
        return (effects, try script.world.snapshot())
    }

    @Test(arguments: [false, true])
    func `a long random script gives the same effects on every run`(isBad: Bool) throws {
        let change: @Sendable (inout WorldSettings) -> Void = { settings in
            guard isBad else { return }
            settings.latencyScale = 1
            settings.web.writes = .accepted
            settings.web.deleteLag = .seconds(60)
            settings.quota.isEnforced = true
            settings.faults = FaultPlan(FaultKind.allCases.map { .init($0, .probability(0.03)) })
        }
        let first = try Self.play(seed: 11, steps: 1_500, change)
        let second = try Self.play(seed: 11, steps: 1_500, change)
        for (step, pair) in zip(first.effects, second.effects).enumerated() where pair.0 != pair.1 {
            Issue.record("step \(step) differs: \(pair.0) and \(pair.1)")
            return
        }
        #expect(first.state == second.state)
        #expect(try Self.play(seed: 12, steps: 200, change).effects != Array(first.effects.prefix(200)))
    }
}
