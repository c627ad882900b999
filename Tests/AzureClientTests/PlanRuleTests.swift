import Testing

@testable import AzureClient

/// Which plans run our containers, and what is said of those that do not.
struct PlanRuleTests {
    private func plan(
        _ sku: String?, _ tier: String?, kind: String? = "linux", reserved: Bool? = true,
        location: String = "West Europe",
        capacity: Int64? = 1, sites: Int64? = 3, state: String? = "Succeeded", _ properties: [String: JSONValue] = [:]
    ) throws -> AppServicePlan {
        AppServicePlan(
            resourceID: try Sample.planID(), name: "plan", location: location, kind: kind, skuName: sku, skuTier: tier,
            capacity: capacity, reserved: reserved, numberOfSites: sites, provisioningState: state,
            properties: .object(properties))
    }

    private func refusal(_ plan: AppServicePlan, addedSites: Int64 = 1) -> PlanRefusal? {
        do throws(PlanRefusal) {
            _ = try plan.containerFamily(location: "westeurope", addedSites: addedSites)
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: [("EP1", "ElasticPremium"), ("EP3", "elasticpremium"), ("EP2", nil)])
    func `Elastic Premium runs containers`(_ sku: String, tier: String?) throws {
        #expect(try plan(sku, tier, kind: "elastic").containerFamily(location: "westeurope") == .elasticPremium)
    }

    @Test(arguments: [
        ("B1", "Basic"), ("S1", "Standard"), ("P0v3", "Premium0V3"), ("I1v2", "IsolatedV2"), ("Z9", "New"),
    ])
    func `Dedicated plans run containers, and so do tiers that are not known yet`(_ sku: String, tier: String) throws {
        #expect(try plan(sku, tier).containerFamily(location: "West Europe") == .dedicated)
    }

    @Test(arguments: [
        ("Y1", "Dynamic"), ("FC1", "FlexConsumption"), ("F1", "Free"), ("D1", "Shared"), ("WS1", "WorkflowStandard"),
    ])
    func `plans that accept a container and never start it are refused with the choices`(_ sku: String, tier: String)
        throws
    {
        let why = try #require(refusal(try plan(sku, tier)))
        #expect(why.reason == "PlanCannotRunContainers")
        for choice in ["EP1", "Dedicated", "Container Apps", "spec.hosting.plan", "SKLS_MANAGED_ENVIRONMENT"] {
            #expect(why.description.contains(choice))
        }
        #expect(refusal(try plan(sku, nil)) != nil)
        #expect(refusal(try plan(nil, tier)) != nil)
    }

    @Test func `Windows plans are refused, whichever field says so`() throws {
        #expect(refusal(try plan("S1", "Standard", kind: "app", reserved: false))?.reason == "PlanCannotRunContainers")
        #expect(refusal(try plan("S1", "Standard", kind: nil, reserved: nil))?.reason == "PlanCannotRunContainers")
        #expect(refusal(try plan("P1v3", "PremiumV3", ["hyperV": .bool(true)]))?.reason == "PlanCannotRunContainers")
        #expect(refusal(try plan("S1", "Standard", kind: "linux", reserved: nil)) == nil)
    }

    @Test func `a plan of another region is refused, however the region is spelled`() throws {
        let why = try #require(refusal(try plan("EP1", "ElasticPremium", location: "East US")))
        #expect(why.reason == "PlanInOtherRegion" && why.description.contains("SKLS_LOCATION"))
        #expect(refusal(try plan("EP1", "ElasticPremium", location: "WestEurope")) == nil)
    }

    @Test func `a hundred sites fit on a plan`() throws {
        #expect(refusal(try plan("EP1", "ElasticPremium", sites: 99)) == nil)
        #expect(refusal(try plan("EP1", "ElasticPremium", sites: 100))?.reason == "PlanFull")
        #expect(refusal(try plan("EP1", "ElasticPremium", sites: 100), addedSites: 0) == nil)
        #expect(refusal(try plan("EP1", "ElasticPremium", sites: nil)) == nil)
        // What is on it already stays there, and is written when it changes.
        #expect(refusal(try plan("P1v3", "PremiumV3", sites: 140), addedSites: 0) == nil)
    }

    @Test func `a Dedicated plan with several machines must scale each site for itself`() throws {
        #expect(refusal(try plan("S1", "Standard", capacity: 2))?.reason == "PlanHasSeveralInstances")
        #expect(refusal(try plan("S1", "Standard", capacity: 2, ["perSiteScaling": .bool(true)])) == nil)
        #expect(refusal(try plan("P1v3", "PremiumV3", ["elasticScaleEnabled": .bool(true)])) != nil)
        #expect(refusal(try plan("EP1", "ElasticPremium", capacity: 5, ["elasticScaleEnabled": .bool(true)])) == nil)
    }

    @Test func `a plan that goes away takes no sites`() throws {
        #expect(refusal(try plan("EP1", "ElasticPremium", state: "Deleting"))?.reason == "PlanIsBeingDeleted")
        #expect(refusal(try plan("EP1", "ElasticPremium", state: "Later")) == nil)
    }
}
