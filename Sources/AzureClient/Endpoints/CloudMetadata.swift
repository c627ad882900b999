/// Reads the document that `GET {resource manager}/metadata/endpoints` answers with. Pure.
///
/// Its fields: `name`, `resourceManager`, `authentication{loginEndpoint, audiences[], identityProvider}`,
/// `suffixes{storage, acrLoginServer}`, `logAnalyticsResourceId` (go-azure-sdk, `sdk/environments/metadata`, read
/// 2026-11); before 2022-09-01 an array of such objects, one per cloud.
enum CloudMetadata {
    /// Why a document describes no cloud that can be used.
    struct Fault: Error, Equatable {
        let message: String
    }

    /// More clouds than this are not looked through.
    static let mostClouds = 64

    /// - Parameter address: the Azure Resource Manager that was asked. In an array it picks the cloud, and it stands in
    ///   for an address that the document leaves out.
    static func environment(_ body: [UInt8], askedAt address: ServiceURL) throws(Fault) -> AzureEnvironment {
        let document: JSONValue
        do throws(JSONSyntaxError) {
            document = try JSONValue(parsing: body)
        } catch {
            throw Fault(message: "the description of the cloud is not JSON")
        }
        let cloud = try chosen(document, address)
        guard let authentication = cloud["authentication"],
            let login = authentication["loginEndpoint"]?.string, !login.isEmpty
        else { throw Fault(message: "the description of the cloud names no login endpoint") }
        // Active Directory Federation Services have other paths and token forms.
        if authentication["identityProvider"]?.string?.lowercased() == "adfs" {
            throw Fault(message: "the cloud signs in with AD FS, which is not supported")
        }
        let audiences = (authentication["audiences"]?.array ?? []).compactMap(\.string).filter { !$0.isEmpty }
        let resourceManager = cloud["resourceManager"]?.string ?? address.description
        let logAnalytics = cloud["logAnalyticsResourceId"]?.string.flatMap { $0.isEmpty ? nil : $0 }
        for (name, text) in [("login", login), ("resource manager", resourceManager), ("log", logAnalytics ?? "")] {
            try check(text, called: name, askedAt: address)
        }
        do throws(AzureError) {
            let manager = try ServiceURL(resourceManager)
            return try AzureEnvironment(
                name: cloud["name"]?.string ?? address.host, resourceManager: resourceManager, authority: login,
                audience: audiences.first { bare($0) == manager.description } ?? audiences.first,
                logAnalytics: logAnalytics, logAnalyticsAudience: logAnalytics,
                storageSuffix: try suffix(cloud, "storage"), registrySuffix: try suffix(cloud, "acrLoginServer"))
        } catch {
            throw Fault(message: "the description of the cloud holds no usable address: \(error.message)")
        }
    }

    private static func chosen(_ document: JSONValue, _ address: ServiceURL) throws(Fault) -> JSONValue {
        if document.object != nil { return document }
        guard let clouds = document.array else {
            throw Fault(message: "the description of the cloud is neither an object nor an array")
        }
        guard clouds.count <= mostClouds else { throw Fault(message: "too many clouds are described") }
        let own = clouds.filter { $0["resourceManager"]?.string.map(address.owns) ?? false }
        if let cloud = own.first ?? (clouds.count == 1 ? clouds.first : nil) { return cloud }
        throw Fault(message: "none of the \(clouds.count) described clouds is the one that was asked")
    }

    /// What was learnt over the network must not lead to plain HTTP, not even on this machine, unless the asked cloud
    /// is on this machine itself.
    private static func check(_ text: String, called name: String, askedAt address: ServiceURL) throws(Fault) {
        guard !text.isEmpty, !address.isLoopback else { return }
        guard text.lowercased().hasPrefix("https://") else {
            throw Fault(message: "the cloud's \(name) endpoint is not https")
        }
    }

    private static func suffix(_ cloud: JSONValue, _ name: String) throws(AzureError) -> String? {
        guard var text = cloud["suffixes"]?[name]?.string?.lowercased(), !text.isEmpty else { return nil }
        if text.hasPrefix(".") { text.removeFirst() }
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        let isHostName = labels.allSatisfy { label in
            !label.isEmpty && label.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == 45 }
        }
        guard isHostName, text.utf8.count <= 253 else {
            throw AzureError(
                code: .invalid, operation: .discoverCloud, resource: name, message: "the \(name) suffix is no host name"
            )
        }
        return text
    }

    private static func bare(_ audience: String) -> String {
        audience.hasSuffix("/") ? String(audience.dropLast()) : audience
    }
}
