/// What kind of plan runs our containers: the two differ in the fields a site has on them.
package enum PlanFamily: Sendable, Hashable {
    /// EP1 to EP3: instances come and go with the traffic.
    case elasticPremium
    /// The plan's own machines: Basic, Standard, Premium, Isolated.
    case dedicated
}

/// Why a plan cannot run our containers. Azure itself accepts the site and never starts it (azure-docs issues 63657 and
/// 81696, read 2026-11), so this is found out before the site is made.
package struct PlanRefusal: Error, Sendable, Hashable, CustomStringConvertible {
    /// One CamelCase word for programs: the reason of a record's condition.
    package var reason: String
    /// Says what to do.
    package var description: String

    package init(reason: String, description: String) {
        self.reason = reason
        self.description = description
    }
}

extension AppServicePlan {
    /// Bound of sites per plan: App Service names about 100 as the most that Elastic Premium takes (Azure docs,
    /// functions-scale, "Maximum number of function apps per plan: 100", read 2026-11).
    package static let mostSites: Int64 = 100

    /// The choices there are (Azure docs, functions-scale, "Container support", read 2026-11).
    package static let choices = """
        containers need an Elastic Premium plan (EP1, EP2, EP3), a Dedicated Linux plan (a B, S or P size), or Functions \
        on Container Apps; name a plan in spec.hosting.plan or SKLS_PLAN, or an environment in \
        spec.hosting.managedEnvironment or SKLS_MANAGED_ENVIRONMENT
        """

    /// How this plan runs our containers.
    ///
    /// A tier that is not known here is taken for a Dedicated one (guess: new tiers so far were new Premium sizes).
    /// - Parameters:
    ///   - location: where sites shall be, in any spelling; the plan has to be there.
    ///   - addedSites: sites that will be put on it beside those it counts.
    /// - Throws: if it cannot, with what to do about it.
    package func containerFamily(location: String, addedSites: Int64 = 0) throws(PlanRefusal) -> PlanFamily {
        let size = [skuTier, skuName].compactMap(\.self).joined(separator: " ")
        func unfit(_ why: String) -> PlanRefusal {
            PlanRefusal(
                reason: "PlanCannotRunContainers", description: "the plan \(name) (\(size)) \(why): \(Self.choices)")
        }
        let family = try family(unfit)
        guard reserved ?? kind?.lowercased().contains("linux") ?? false, properties["hyperV"]?.bool != true else {
            throw unfit("is a Windows plan")
        }
        guard Self.region(self.location) == Self.region(location) else {
            throw PlanRefusal(
                reason: "PlanInOtherRegion",
                description:
                    "the plan \(name) is in \(self.location) and sites are made in \(location): name a plan of "
                    + "\(location), or set SKLS_LOCATION to the plan's region")
        }
        guard provisioningState?.lowercased() != "deleting" else {
            throw PlanRefusal(reason: "PlanIsBeingDeleted", description: "the plan \(name) is being deleted")
        }
        if family == .dedicated { try checkOneInstance() }
        // Sites that are on it already are written whatever their number.
        guard addedSites == 0 || (numberOfSites ?? 0) + addedSites <= Self.mostSites else {
            throw PlanRefusal(
                reason: "PlanFull",
                description:
                    "the plan \(name) has \(numberOfSites ?? 0) sites, and \(Self.mostSites) are the most that "
                    + "fit: name another plan in spec.hosting.plan or SKLS_PLAN")
        }
        return family
    }

    private func family(_ unfit: (String) -> PlanRefusal) throws(PlanRefusal) -> PlanFamily {
        let words = Set([skuTier, skuName].compactMap { $0?.lowercased() })
        func isOne(of names: String...) -> Bool { !words.isDisjoint(with: names) }
        if isOne(of: "dynamic", "y1") { throw unfit("is a Consumption plan, which never starts a container") }
        if isOne(of: "flexconsumption", "fc1") { throw unfit("is a Flex Consumption plan, which runs no containers") }
        if isOne(of: "free", "f1") { throw unfit("is Free, which keeps no function app running") }
        if isOne(of: "shared", "d1") { throw unfit("is Shared, which runs no containers") }
        if isOne(of: "workflowstandard", "ws1", "ws2", "ws3") { throw unfit("is for Logic Apps") }
        return isOne(of: "elasticpremium", "ep1", "ep2", "ep3") ? .elasticPremium : .dedicated
    }

    /// On a Dedicated plan a site runs on all machines of the plan unless the plan scales each site for itself; a run's
    /// requests would reach different containers (Azure docs, manage-scale-per-app, read 2026-11).
    private func checkOneInstance() throws(PlanRefusal) {
        if properties["elasticScaleEnabled"]?.bool == true {
            throw PlanRefusal(
                reason: "PlanHasSeveralInstances",
                description: "the plan \(name) scales automatically, and a container must run once: switch automatic "
                    + "scaling off, or use an Elastic Premium plan")
        }
        if (capacity ?? 1) > 1, properties["perSiteScaling"]?.bool != true {
            throw PlanRefusal(
                reason: "PlanHasSeveralInstances",
                description: "the plan \(name) has \(capacity ?? 1) instances and would run each container on all of "
                    + "them: set its capacity to 1, or switch per-site scaling on")
        }
    }

    /// `East US` and `eastus` are one region.
    package static func region(_ text: String) -> String {
        text.lowercased().filter { !$0.isWhitespace }
    }
}
