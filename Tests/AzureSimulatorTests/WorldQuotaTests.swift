import Testing

@testable import AzureSimulator

/// Resource Manager's token buckets, with capacities that few calls exhaust.
@Suite struct WorldQuotaTests {
    private func script(_ change: (inout QuotaPolicy) -> Void) -> WorldScript {
        WorldScript { settings in
            settings.quota.isEnforced = true
            settings.quota.siteWrites = nil
            change(&settings.quota)
        }
    }

    @Test func `an empty bucket refuses with the seconds to wait and lets nothing through`() {
        var script = script { $0.writes = .init(capacity: 2, refillPerSecond: 0.25) }
        #expect(script.put("a1").status == 200)
        #expect(script.put("a2").status == 200)
        let refused = script.put("a3")
        #expect(refused.status == 429)
        #expect(refused.errorCode == "SubscriptionRequestsThrottled")
        #expect(refused.header("Retry-After") == "4")
        #expect(refused.header("x-ms-ratelimit-remaining-subscription-writes") == "0")
        #expect(script.world.sites.count == 2)
        script.advance(.seconds(4))
        #expect(script.put("a3").status == 200)
    }

    @Test func `a call before the wait is over begins the wait anew`() {
        var script = script { $0.reads = .init(capacity: 1, refillPerSecond: 1) }
        let read = WorldScript.site("a1")
        #expect(script.arm("GET", read).status == 404)
        #expect(script.arm("GET", read).status == 429)
        for _ in 0..<10 {
            script.advance(.milliseconds(900))
            #expect(script.arm("GET", read).status == 429)
        }
        script.advance(.seconds(1))
        #expect(script.arm("GET", read).status == 404)
    }

    @Test func `reads, writes and deletes, and the tenant's calls, have buckets of their own`() {
        var script = script {
            $0.reads = .init(capacity: 1, refillPerSecond: 1)
            $0.writes = .init(capacity: 1, refillPerSecond: 1)
        }
        #expect(script.arm("GET", WorldScript.site("a1")).status == 404)
        #expect(script.put("a1").status == 200)
        #expect(script.arm("DELETE", WorldScript.site("a1")).status == 200)
        #expect(script.arm("GET", WorldScript.site("a1")).status == 429)
        let tenant = script.arm("GET", "/tenants")
        #expect(tenant.status != 429)
        #expect(tenant.header("x-ms-ratelimit-remaining-tenant-reads") == "0")
        #expect(script.arm("GET", "/tenants").errorCode == "TooManyRequests")
    }

    @Test func `two principals share only the subscription's global bucket`() {
        var script = script {
            $0.reads = .init(capacity: 2, refillPerSecond: 1)
            $0.globalFactor = 1.5
        }
        let read = WorldScript.site("a1")
        #expect(script.arm("GET", read).status == 404)
        #expect(script.arm("GET", read).header("x-ms-ratelimit-remaining-subscription-global-reads") == "1")
        let machine = script.world.machinePrincipal
        let other = script.world.accessToken(for: machine, audience: "https://management.azure.com", at: script.now)
        func request() -> ControlRequest {
            ControlRequest(
                method: "GET", path: read, query: "api-version=2023-12-01", authorization: "Bearer \(other)")
        }
        #expect(script.send(request()).status == 404)
        let refused = script.send(request())
        #expect(refused.status == 429)
        #expect(refused.header("x-ms-ratelimit-remaining-subscription-reads") == "0")
        #expect(refused.header("x-ms-ratelimit-remaining-subscription-global-reads") == "0")
    }

    @Test func `writes of sites can have Microsoft.Web's own quota instead`() {
        var script = script { $0.siteWrites = .init(capacity: 1, refillPerSecond: 1) }
        let put = script.put("a1")
        #expect(put.header("x-ms-ratelimit-remaining-subscription-resource-requests") == "0")
        #expect(put.header("x-ms-ratelimit-remaining-subscription-writes") == nil)
        #expect(script.put("a1").errorCode == "ResourceRequestsThrottled")
    }

    @Test func `counters that are not enforced never refuse`() {
        var script = WorldScript { $0.quota.reads = .init(capacity: 1, refillPerSecond: 1) }
        for _ in 0..<5 { #expect(script.arm("GET", WorldScript.site("a1")).status == 404) }
    }

    @Test func `a principal of one group may do nothing outside of it, not even poll an operation`() {
        var script = WorldScript { $0.access = .resourceGroup("SKLS") }
        #expect(script.put("a1").status == 200)
        let other = script.put("b1", group: "other")
        #expect(other.status == 403)
        #expect(other.errorCode == "AuthorizationFailed")
        let poll = script.arm(
            "GET", "/subscriptions/sub/providers/Microsoft.Web/locations/eastus/operationResults/1")
        #expect(poll.status == 403)
        #expect(
            json(poll)["error"]?.string("message").contains("'Microsoft.Web/locations/operationResults/read'") == true)
    }
}
