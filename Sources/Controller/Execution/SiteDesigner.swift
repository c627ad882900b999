import Crypto
package import DesiredState
import Foundation

/// What a record's site should be, in full. Pure: the same record and configuration give the same design and the same hash in every process.
package struct SiteDesigner: Sendable {
    package struct Configuration: Hashable, Sendable {
        /// Azure region, such as `westeurope`.
        package var location: String
        /// Resource id of the plan for records that name none; `nil` = such records cannot be placed.
        package var defaultPlan: String?
        /// `/subscriptions/…/resourceGroups/…`: a plan given by its bare name is looked for here.
        package var resourceGroupID: String

        package init(location: String, defaultPlan: String?, resourceGroupID: String) {
            self.location = location
            self.defaultPlan = defaultPlan
            self.resourceGroupID = resourceGroupID
        }
    }

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
            name: SiteDesigner.siteName(of: record.uid), designHash: designHash(of: record), instance: instance.text)
    }

    /// `observed`: the site as it is, whose foreign tags are carried over, since a PUT replaces them all.
    package func design(of record: FunctionApp, replacing observed: ObservedSite? = nil) -> SiteDesign {
        var tags = foreignTags(of: observed).merging(record.spec.azure.tags) { _, declared in declared }
        if !record.spec.azure.tags.isEmpty {
            tags[SiteTag.declared] = String(record.spec.azure.tags.keys.sorted().joined(separator: ",").prefix(256))
        }
        tags[SiteTag.managedBy] = "skls"
        tags[SiteTag.instance] = instance.text
        tags[SiteTag.uid] = record.uid.text
        tags[SiteTag.designHash] = designHash(of: record)
        tags[SiteTag.writer] = "\(writer):\(record.metadata.resourceVersion)"
        return SiteDesign(
            name: SiteDesigner.siteName(of: record.uid), location: configuration.location, plan: plan(of: record),
            image: record.spec.image.canonical, appSettings: appSettings(of: record), tags: tags)
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

    /// Settings that we own. The command and its environment are not among them: they travel in the run request only.
    private func appSettings(of record: FunctionApp) -> [SiteDesign.Setting] {
        var settings = record.spec.azure.appSettings
        settings["SKLS_AGENT_SECRET"] = agentSecret(of: record.uid)
        // Stop means SIGTERM and then, after so many seconds, KILL; the platform's default of 5 leaves the agent too little
        // (App Service environment variables reference, WEBSITES_CONTAINER_STOP_TIME_LIMIT, read 2026-02).
        settings["WEBSITES_CONTAINER_STOP_TIME_LIMIT"] = "20"
        return settings.sorted { $0.key < $1.key }.map { SiteDesign.Setting(name: $0.key, value: $0.value) }
    }

    /// Tags that neither this record nor skls has set: the platform's `hidden-*`, and those of policies and people.
    private func foreignTags(of observed: ObservedSite?) -> [String: String] {
        guard let observed else { return [:] }
        let declared = Set((observed.tag(SiteTag.declared) ?? "").split(separator: ",").map { $0.lowercased() })
        return observed.tags.filter { name, _ in
            !name.lowercased().hasPrefix(SiteTag.prefix) && !declared.contains(name.lowercased())
        }
    }

    private func plan(of record: FunctionApp) -> String? {
        guard let plan = record.spec.hosting.plan else { return configuration.defaultPlan }
        return plan.contains("/")
            ? plan : configuration.resourceGroupID + "/providers/Microsoft.Web/serverfarms/" + plan
    }

    /// Of everything that decides how the site looks in Azure, and nothing else: a run changes nothing here.
    private func designHash(of record: FunctionApp) -> String {
        var fields = [
            "1", record.spec.image.canonical, configuration.location.lowercased(), plan(of: record)?.lowercased() ?? "",
        ]
        for setting in appSettings(of: record) { fields += ["setting", setting.name, setting.value] }
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

/// The site as it should be. Prints without the settings' values, some of which are secret.
package struct SiteDesign: Hashable, Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable
{
    package struct Setting: Hashable, Sendable {
        package let name: String
        package let value: String
    }

    package let name: String
    package let location: String
    /// Resource id; `nil` = no plan is configured.
    package let plan: String?
    /// Canonical reference.
    package let image: String
    package let appSettings: [Setting]
    package let tags: [String: String]

    package var description: String { "site \(name) of image \(image)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: ["name": name, "image": image]) }
}
