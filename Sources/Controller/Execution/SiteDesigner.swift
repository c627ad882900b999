import AzureClient
import Crypto
package import DesiredState
import Foundation

/// What a record's site should be, in full. Pure: the same record and configuration give the same design and the same hash in every process.
package struct SiteDesigner: Sendable {
    package let configuration: Configuration
    package let instance: InstanceID
    /// This life of the daemon: goes into the writer tag.
    package let writer: String
    private let key: SymmetricKey

    package init(configuration: Configuration, instance: InstanceID, key: StoreKey, writer: String) {
        self.configuration = configuration
        self.instance = instance
        self.writer = writer
        self.key = SymmetricKey(data: key.bytes)
    }

    package func identity(of record: FunctionApp) -> SiteIdentity {
        SiteIdentity(
            name: SiteDesigner.siteName(of: record.uid), designHash: designHash(of: record), instance: instance.text,
            location: AppServicePlan.region(configuration.location), hosting: placement(of: record).hosting)
    }

    /// What is ours of the site; what others set is carried over when it is written.
    package func design(of record: FunctionApp) -> SiteDesign {
        var tags = record.spec.azure.tags
        if !tags.isEmpty { tags[SiteTag.declared] = declaredNames(tags) }
        tags[SiteTag.managedBy] = "skls"
        tags[SiteTag.instance] = instance.text
        tags[SiteTag.uid] = record.uid.text
        tags[SiteTag.recordName] = record.metadata.name.text
        tags[SiteTag.designHash] = designHash(of: record)
        tags[SiteTag.writer] = "\(writer):\(record.metadata.resourceVersion)"
        let name = SiteDesigner.siteName(of: record.uid)
        var design = SiteDesign(
            name: name, location: configuration.location, placement: placement(of: record),
            image: record.spec.image.canonical, appSettings: appSettings(of: record),
            contentShare: contentShare(siteName: name), tags: tags, identity: configuration.identity,
            pullsWithIdentity: pullsWithIdentity(record.spec.image), workloadProfile: configuration.workloadProfile)
        design.takesOver = record.spec.adoption == .ifTagged
        return design
    }

    /// `skls-` and the first 130 bits of the uid in base 32: 31 characters of a DNS label, never used for another record.
    package static func siteName(of uid: UID) -> String {
        let alphabet = Array("abcdefghijklmnopqrstuvwxyz234567")
        let bits = uid.text.flatMap { digit -> [Int] in
            let value = digit.hexDigitValue ?? 0
            return [value >> 3 & 1, value >> 2 & 1, value >> 1 & 1, value & 1]
        }
        return "skls-"
            + String((0..<26).map { index in alphabet[bits[index * 5..<index * 5 + 5].reduce(0) { $0 << 1 | $1 }] })
    }

    /// What the agent knows an attempt by: 64 hex digits that nobody without the store's key can guess.
    package func token(uid: UID, run: Int, attempt: Int) -> String {
        keyedHash("run", uid.text, String(run), String(attempt))
    }

    /// The secret that the daemon shares with the agent of this record: 64 hex digits.
    package func agentSecret(of uid: UID) -> String {
        keyedHash("agent", uid.text)
    }

    // MARK: parts

    private func appSettings(of record: FunctionApp) -> [SiteDesign.Setting] {
        appSettings(
            of: record.spec.azure.appSettings, agentSecret: agentSecret(of: record.uid), uid: record.uid.text,
            keepsLog: record.keepsLog)
    }

    /// As many whole names as fit into a tag.
    private func declaredNames(_ tags: [String: String]) -> String {
        tags.keys.sorted().reduce("") { list, name in
            let longer = list.isEmpty ? name : list + "," + name
            return longer.utf16.count > 256 ? list : longer
        }
    }

    private func placement(of record: FunctionApp) -> Placement {
        let hosting = record.spec.hosting
        if let environment = hosting.managedEnvironment {
            return .managedEnvironment(resourceID(environment, of: "Microsoft.App/managedEnvironments"))
        }
        if let plan = hosting.plan { return .plan(resourceID(plan, of: "Microsoft.Web/serverfarms")) }
        if let environment = configuration.managedEnvironment { return .managedEnvironment(environment) }
        return configuration.defaultPlan.map { .plan($0) } ?? .onlyPlan
    }

    private func resourceID(_ text: String, of type: String) -> String {
        text.contains("/") ? text : configuration.resourceGroupID + "/providers/\(type)/" + text
    }

    /// Registries of Azure in its clouds; to others an identity is no credential.
    private func pullsWithIdentity(_ image: ImageReference) -> Bool {
        configuration.identity != nil && configuration.registry == nil
            && [".azurecr.io", ".azurecr.us", ".azurecr.cn"].contains { image.domain.lowercased().hasSuffix($0) }
    }

    /// Of everything that decides how the site looks in Azure, and nothing else: a run changes nothing here. The number
    /// in front rises when a release makes sites otherwise from the same record, so that they are written anew.
    private func designHash(of record: FunctionApp) -> String {
        let design = (placement: placement(of: record), pulls: pullsWithIdentity(record.spec.image))
        var fields = ["2", record.spec.image.canonical, AppServicePlan.region(configuration.location)]
        switch design.placement {
        case .plan(let id): fields += ["plan", id.lowercased()]
        case .onlyPlan: fields += ["plan", ""]
        case .managedEnvironment(let id):
            fields += ["environment", id.lowercased(), configuration.workloadProfile ?? ""]
        }
        for setting in appSettings(of: record) { fields += ["setting", setting.name, setting.value] }
        for setting in contentShare(siteName: SiteDesigner.siteName(of: record.uid)) {
            fields += ["share", setting.name, setting.value]
        }
        if let identity = configuration.identity {
            fields += ["identity", identity.resourceID.lowercased(), identity.clientID, "\(design.pulls)"]
        }
        for (name, value) in record.spec.azure.tags.sorted(by: { $0.key < $1.key }) { fields += ["tag", name, value] }
        // Lengths in front, so that no two lists of fields read the same.
        let text = fields.map { "\($0.utf8.count):\($0)" }.joined()
        return keyedHash("design", text).prefix(32).description
    }

    private func keyedHash(_ fields: String...) -> String {
        let text = fields.joined(separator: "\n")
        return HMAC<SHA256>.authenticationCode(for: Data(text.utf8), using: key).map { byte in
            (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
    }
}
