/// How the simulated Microsoft.Web behaves, and what it has at its start beside the main plan. The defaults are an Azure
/// that does everything at once.
package struct WebSettings: Sendable {
    /// A plan that is there from the start.
    package struct PlanSetting: Equatable, Sendable {
        package var name: String
        /// The SKU's name, such as `EP1`, `B1`, `P0v3`, `Y1` or `FC1`.
        package var sku: String
        /// Nil is the first group.
        package var group: String?

        package init(name: String, sku: String, group: String? = nil) {
            self.name = name
            self.sku = sku
            self.group = group
        }
    }

    /// A Container Apps environment that is there from the start.
    package struct EnvironmentSetting: Equatable, Sendable {
        package var name: String
        /// Nil is the first group.
        package var group: String?

        package init(name: String, group: String? = nil) {
            self.name = name
            self.group = group
        }
    }

    /// How a PUT of a site or plan is answered.
    package enum WriteMode: String, Sendable, CaseIterable {
        /// 200 at once.
        case instant
        /// 200 after some 25 s, as in the recorded creation of 2022-07; the site is busy meanwhile.
        case slow
        /// 202 with `azure-asyncoperation`; the resource cannot be seen until the operation has ended, as the Resource
        /// Manager RPC contract wants it.
        case accepted
        /// As `accepted`, but the resource can be seen at once: many providers break that rule (same source).
        case acceptedVisible = "accepted-visible"
    }

    package var plans: [PlanSetting] = []
    package var environments: [EnvironmentSetting] = []
    /// Names of sites that belong to others, in any subscription: 409 for whoever wants them.
    package var takenNames: Set<String> = []
    package var writes = WriteMode.instant
    /// How long a deleted site holds its name and stands in lists, before scaling. Azure documents none; reports tell
    /// of minutes (Azure/azure-functions-on-container-apps 7 and 40).
    package var deleteLag = Duration.zero
    /// Whether sites get the `hidden-link:` tags when a connection string of Application Insights is set, as if
    /// somebody linked the two in the portal. The setting alone makes no tags (Azure/azure-functions-skills 173, read
    /// 2026-11).
    package var linksApplicationInsights = false

    package init() {}

    /// A PUT of a site blocks this long (recorded creation of 2022-07).
    static let slowWrite = Duration.seconds(25)
    /// A PUT of a plan blocks this long (recorded creations of 2019 and 2025: 8 to 17 s).
    static let slowPlanWrite = Duration.seconds(10)
    /// How long a 202's operation takes. A guess.
    static let operation = Duration.seconds(40)
    /// How long an app on Container Apps is built. A guess: recordings show minutes.
    static let containerAppsBuild = Duration.seconds(120)
    /// How long a new or changed resource may be seen wrongly where a fault wants that, before scaling; at least
    /// `shortestInconsistency`, so that the fault also shows in an Azure without delays.
    static let inconsistency = Duration.seconds(30)
    static let shortestInconsistency = Duration.seconds(1)
    /// How long the result of an operation can be asked for. A guess.
    static let operationLife = Duration.seconds(3_600)
    /// Ended operations beyond this number are forgotten before their time, the oldest first: every write looks through
    /// them (ours).
    static let operationLimit = 1_000
}
