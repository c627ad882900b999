import AzureClient
import DesiredState

/// Makes a record for a site that has none, as far as the site still tells what it was declared as. Pure.
struct Adoption {
    let designer: SiteDesigner

    /// The record is suspended: its command is not known, and nothing must be run or overwritten before somebody has
    /// declared what it should be.
    ///
    /// - Returns: `nil` if the site's image cannot be understood.
    func record(of details: SiteDetails, uid: UID, name: RecordName, by author: String, at now: Instant) -> FunctionApp?
    {
        guard let image = image(of: details.site) else { return nil }
        let site = details.site
        var spec = FunctionAppSpec(image: image, invocations: 1)
        spec.suspend = Suspension(by: author, reason: "adopted from the site \(site.name)")
        spec.azure = AzureSettings(appSettings: declaredSettings(details.appSettings), tags: declaredTags(site.tags))
        if let environment = site.managedEnvironmentID?.description {
            if !isSame(environment, designer.configuration.managedEnvironment) {
                spec.hosting.managedEnvironment = environment
            }
        } else if let plan = site.serverFarmID?.description, !isSame(plan, designer.configuration.defaultPlan) {
            spec.hosting.plan = plan
        }
        // Lets a site of an earlier installation be taken over once the record is resumed.
        spec.adoption = .ifTagged
        return FunctionApp(
            metadata: Metadata(
                name: name, uid: uid,
                annotations: [FunctionApp.recoveredAnnotation: "adopted from the site \(site.name)"],
                creationTimestamp: now),
            spec: spec)
    }

    /// `DOCKER|registry/repository:tag`; on Container Apps the address of the registry may stand in front.
    private func image(of site: Site) -> ImageReference? {
        guard var text = site.linuxFxVersion else { return nil }
        for prefix in ["docker|", "https://", "http://"] where text.lowercased().hasPrefix(prefix) {
            text = String(text.dropFirst(prefix.count))
        }
        do {
            return try ImageReference(parsing: text)
        } catch {
            return nil
        }
    }

    /// What the record had declared beside our own settings.
    private func declaredSettings(_ settings: [String: Secret]) -> [String: String] {
        let owned = SiteDesign.ownedNames(in: settings)
        let ours = Set(
            (designer.appSettings(of: [:], agentSecret: "", uid: "") + designer.contentShare(siteName: "")).map {
                $0.name.uppercased()
            } + SiteSetting.registry + [SiteSetting.owned, SiteSetting.mounts] + Adoption.platformSettings)
        return settings.filter { owned.contains($0.key.uppercased()) && !ours.contains($0.key.uppercased()) }
            .mapValues { $0.reveal() }
    }

    private func declaredTags(_ tags: [String: String]) -> [String: String] {
        let list = tags.first { $0.key.lowercased() == SiteTag.declared }?.value ?? ""
        let names = Set(list.split(separator: ",").map { $0.lowercased() })
        return tags.filter { names.contains($0.key.lowercased()) }
    }

    private func isSame(_ left: String, _ right: String?) -> Bool { left.lowercased() == right?.lowercased() }

    /// Ours under another configuration than the present one.
    private static let platformSettings = [
        "AZUREWEBJOBSSTORAGE", "AZUREWEBJOBSSTORAGE__ACCOUNTNAME", "AZUREWEBJOBSSTORAGE__CREDENTIAL",
        "AZUREWEBJOBSSTORAGE__CLIENTID", "APPLICATIONINSIGHTS_CONNECTION_STRING",
        "WEBSITE_CONTENTAZUREFILECONNECTIONSTRING", "WEBSITE_CONTENTSHARE",
    ]
}
