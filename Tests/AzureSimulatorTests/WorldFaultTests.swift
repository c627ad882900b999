import Testing

@testable import AzureSimulator

/// Faults by switch and by seed.
@Suite struct WorldFaultTests {
    private func script(_ rules: String..., seed: UInt64 = 1) -> WorldScript {
        WorldScript(seed: seed) { $0.faults = FaultPlan(rules.compactMap { FaultPlan.Rule($0) }) }
    }

    @Test func `a rule is read from its text, and nonsense is not a rule`() {
        #expect(FaultPlan.Rule("500") == .init(.internalError, .every(1)))
        #expect(FaultPlan.Rule("bom:0.25") == .init(.byteOrderMark, .probability(0.25)))
        #expect(FaultPlan.Rule("reset-after:every=3") == .init(.resetAfter, .every(3)))
        #expect(FaultPlan.Rule("throttle:count=2") == .init(.throttled, .first(2)))
        for text in ["", "nosuch", "500:", "500:2", "500:every=0", "500:count=x", "500:-0.1", "500:nan"] {
            #expect(FaultPlan.Rule(text) == nil, "\(text)")
        }
    }

    @Test(arguments: [("500", 500), ("502", 502), ("503", 503), ("html-502", 502), ("throttle", 429)])
    func `a failure before the request leaves nothing done`(kind: String, status: Int) {
        var script = script("\(kind):count=1")
        let reply = script.put("a1")
        #expect(reply.status == status)
        #expect(reply.faults == [kind])
        #expect(script.world.sites.isEmpty)
        #expect((reply.header("Retry-After") == "600") == (kind == "throttle"))
        #expect((reply.header("Content-Type") == "text/html") == (kind == "html-502"))
        #expect(script.put("a1").status == 200)
    }

    @Test func `a gateway that gives up leaves the write done`() {
        var script = script("504:count=1")
        #expect(script.put("a1").errorCode == "GatewayTimeout")
        #expect(script.arm("GET", WorldScript.site("a1")).status == 200)
    }

    @Test func `a reset before a write leaves nothing done, and one after it leaves it done`() {
        for (kind, count) in [("reset-before", 0), ("reset-after", 1)] {
            var script = script("\(kind):count=1")
            let request = ControlRequest(
                method: "PUT", path: WorldScript.site("a1"), query: "api-version=2023-12-01",
                authorization: "Bearer \(script.token)", body: Array(WorldScript.body().utf8))
            let (id, effects) = script.step { .request($0, request) }
            #expect(effects.contains(.reset(id, faults: [kind])))
            #expect(!effects.contains { if case .reply = $0 { true } else { false } })
            #expect(script.world.sites.count == count)
        }
    }

    @Test func `reads are never reset after the fact`() {
        var script = script("reset-after")
        #expect(script.arm("GET", WorldScript.site("a1")).status == 404)
    }

    @Test func `a busy site refuses writes in Microsoft.Web's shape, with 409 or with 429`() {
        var script = script("busy-409:count=1", "busy-429:count=1")
        for status in [409, 429] {
            let reply = script.put("a1")
            #expect(reply.status == status)
            #expect(reply.errorCode == "Conflict")
            #expect(reply.header("Retry-After") == nil)
            #expect(json(reply)["Details"]?.array?.last?["ErrorEntity"]?.string("ExtendedCode") == "59203")
        }
        #expect(script.put("a1").status == 200)
    }

    @Test func `a byte order mark stands in front of a body that is otherwise whole`() {
        var script = script("bom")
        let reply = script.put("a1")
        #expect(reply.body.starts(with: [0xEF, 0xBB, 0xBF]))
        #expect(json(reply).string("name") == "a1")
    }

    @Test func `an empty page leads to the first one`() throws {
        var script = script("empty-page")
        for name in ["a1", "a2"] { _ = script.put(name) }
        let list = "/subscriptions/sub/providers/Microsoft.Web/sites"
        let page = json(script.arm("GET", list))
        #expect(page["value"]?.array?.count == 0)
        let link = try #require(page["nextLink"]?.string)
        let query = String(try #require(link.split(separator: "?").last))
        let next = script.send(
            ControlRequest(method: "GET", path: list, query: query, authorization: "Bearer \(script.token)"))
        #expect(json(next)["value"]?.array?.count == 2)
        #expect(json(next)["nextLink"] == .null)
    }

    @Test func `one seed gives the same faults again, and faults change no identifier`() {
        func statuses(_ seed: UInt64) -> [Int] {
            var script = script("503:0.5", seed: seed)
            return (0..<64).map { _ in script.arm("GET", WorldScript.site("a1")).status }
        }
        #expect(statuses(1) == statuses(1))
        #expect(statuses(1) != statuses(2))
        #expect(Set(statuses(1)) == [404, 503])
        var plain = WorldScript()
        var failing = script("bom")
        #expect(plain.put("a1").headers == failing.put("a1").headers)
    }

    @Test func `every n-th occasion means the n-th, the 2n-th and so on`() {
        var script = script("500:every=3")
        let statuses = (0..<7).map { _ in script.arm("GET", WorldScript.site("a1")).status }
        #expect(statuses == [404, 404, 500, 404, 404, 500, 404])
    }

    @Test func `a request that blocks is answered later, by scaled time`() {
        var script = WorldScript { $0.latencyScale = 0.1 }
        #expect(script.world.settings.scaled(.seconds(230)) == .seconds(23))
        #expect(WorldScript().world.settings.scaled(.seconds(230)) == .zero)
        script.world.delayReply(until: script.now + .seconds(9))
        // The delay belongs to one request: the next one is answered at once.
        #expect(script.arm("GET", WorldScript.site("a1")).status == 404)
    }
}
