package import AzureClient

/// Where a site is put.
package enum Placement: Hashable, Sendable {
    /// This plan, by the text of its resource id.
    case plan(String)
    /// Nothing is configured: the only plan of the group that runs containers.
    case onlyPlan
    /// Functions on Container Apps, by the text of the environment's resource id.
    case managedEnvironment(String)

    var hosting: HostingKind {
        switch self {
        case .plan, .onlyPlan: .plan
        case .managedEnvironment: .managedEnvironment
        }
    }
}

/// What a placement came to once the plan was looked at: it decides which fields a site has.
package enum Ground: Hashable, Sendable {
    case elasticPremium(ResourceID)
    case dedicated(ResourceID)
    case containerApps(ResourceID)
}

/// An identity that sites are given.
package struct SiteIdentityReference: Hashable, Sendable {
    /// Resource id of the user-assigned identity.
    package let resourceID: String
    package let clientID: String

    package init(resourceID: String, clientID: String) {
        self.resourceID = resourceID
        self.clientID = clientID
    }
}

/// The site as it should be, as far as that does not depend on the plan. Prints without the settings' values, some of
/// which are secret.
package struct SiteDesign: Hashable, Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable
{
    package struct Setting: Hashable, Sendable {
        package let name: String
        package let value: String
    }

    package let name: String
    package let location: String
    package let placement: Placement
    /// Canonical reference.
    package let image: String
    /// Sorted by name; what the plan's kind adds comes on top, see ``settings(on:)``.
    package let appSettings: [Setting]
    /// Settings of Elastic Premium only: the platform's own share of the app.
    package let contentShare: [Setting]
    /// Our own tags and the declared ones.
    package let tags: [String: String]
    package let identity: SiteIdentityReference?
    /// The image comes from an Azure registry and is pulled by `identity`.
    package let pullsWithIdentity: Bool
    package let workloadProfile: String?
    /// By id, without keys: those are read when the site is written.
    package var mounts: [String: SiteMount] = [:]
    /// A site with this uid may be written although another installation has made it.
    package var takesOver = false

    package var description: String { "site \(name) of image \(image)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: ["name": name, "image": image]) }
}

/// Why a design cannot be written as it is: what to do about it is in the description.
package struct DesignFault: Error, Hashable, Sendable, CustomStringConvertible {
    /// One CamelCase word for programs.
    package let reason: String
    package let description: String
}

/// Names of settings that mean something to us.
package enum SiteSetting {
    /// Names of all settings that we set, joined by commas. It travels with the settings themselves, so that it is right
    /// whoever wrote them last: what is not among them and not declared is somebody else's, and is carried over.
    package static let owned = "SKLS_OWNED_SETTINGS"
    /// Ids of the mounts that are ours, joined by commas; a site without any does not have it. As with ``owned``, what is not among them is carried over.
    package static let mounts = "SKLS_MOUNTS"
    /// Credentials for a registry; where they stand they win over an identity (terraform-provider-azurerm issues 26341
    /// and 30864, read 2026-11).
    package static let registry = [
        "DOCKER_REGISTRY_SERVER_URL", "DOCKER_REGISTRY_SERVER_USERNAME", "DOCKER_REGISTRY_SERVER_PASSWORD",
    ]
}
