import AzureClient

/// Whether a plan can run custom containers as Function Apps.
enum PlanFitness {
    /// Nil if it can.
    static func problem(_ plan: Plan, location: String) -> (detail: String, advice: String)? {
        let size = plan.skuName?.uppercased() ?? ""
        // Consumption and Flex Consumption take the site and never start its container (Azure docs, "Azure Functions
        // hosting options", read 2026-02).
        if ["Y1", "FC1"].contains(size) {
            return (
                "the size \(size) never starts a custom container",
                "use an Elastic Premium (EP1) or Dedicated (B1 and above) plan, or Container Apps"
            )
        }
        if plan.reserved == false {
            return ("it is a Windows plan", "make a plan with --is-linux")
        }
        let place = plan.location.lowercased().filter { $0 != " " }
        if !place.isEmpty, place != location.lowercased().filter({ $0 != " " }) {
            return (
                "it is in \(plan.location), sites would go to \(location)", "set SKLS_LOCATION to the plan's region"
            )
        }
        return nil
    }
}
