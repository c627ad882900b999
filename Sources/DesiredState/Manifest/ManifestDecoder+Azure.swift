/// What Azure allows of what a manifest puts on a site. Limits and names are from Microsoft's documentation, read 2026-11; none was tried.
extension ManifestDecoder {
    mutating func hosting(_ node: DocumentNode) -> Hosting {
        guard let values = fields(node, at: "spec.hosting") else { return Hosting() }
        if values["plan"] != nil, let environment = values["managedEnvironment"] {
            note(
                environment, "spec.hosting.managedEnvironment",
                "stands beside a plan; a plan or a managedEnvironment is allowed, not both")
        }
        return Hosting(
            plan: values["plan"].flatMap {
                resource($0, at: "spec.hosting.plan", type: "Microsoft.Web/serverfarms", word: "plan")
            },
            managedEnvironment: values["managedEnvironment"].flatMap {
                resource(
                    $0, at: "spec.hosting.managedEnvironment", type: "Microsoft.App/managedEnvironments",
                    word: "Container Apps environment")
            })
    }

    /// A bare name or a resource id of the type.
    private mutating func resource(
        _ node: DocumentNode, at field: String, type: String, word: String
    ) -> String? {
        guard let text = string(node, at: field) else { return nil }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        if parts.count == 1 {
            // App Service plans and environments alike: 1 to 60 letters, digits and hyphens (naming rules of Azure resources).
            let isName = (1...60).contains(text.count) && text.allSatisfy { $0.isLetter || $0.isNumber || $0 == "-" }
            if !isName {
                note(
                    node, field,
                    "\(quoted(text)) is no name of a \(word): 1 to 60 letters, digits and hyphens, or a whole resource id"
                )
            }
            return text
        }
        let shape = "/subscriptions/…/resourceGroups/…/providers/\(type)/NAME"
        let words = parts.map { $0.lowercased() }
        let provider = type.lowercased().split(separator: "/").map(String.init)
        let isID =
            words.count == 9 && words[0].isEmpty && words[1] == "subscriptions" && words[3] == "resourcegroups"
            && words[5] == "providers" && Array(words[6...7]) == provider && !words[1...].contains("")
        if !isID { note(node, field, "\(quoted(text)) is no resource id of a \(word); it must be like \(shape)") }
        return text
    }

    mutating func azure(_ node: DocumentNode) -> AzureSettings {
        guard let values = fields(node, at: "spec.azure") else { return AzureSettings() }
        return AzureSettings(
            appSettings: values["appSettings"].map { appSettings($0) } ?? [:],
            tags: values["tags"].map { tags($0) } ?? [:])
    }

    private mutating func appSettings(_ node: DocumentNode) -> [String: String] {
        let field = "spec.azure.appSettings"
        let settings = stringMap(node, at: field)
        var taken: [String: String] = [:]
        for (name, key) in keys(of: node) {
            if let reason = ManifestDecoder.reservation(ofSetting: name) { note(key, "\(field).\(name)", reason) }
            // Linux has no colon in names of variables: App Service wants two underscores there (configure-common).
            let isName = name.utf8.allSatisfy { $0.isASCIIWord || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") }
            if !isName, !name.isEmpty {
                let hint = name.contains(":") ? "; write \(name.replacing(":", with: "__"))" : ""
                note(key, "\(field).\(name)", "only letters, digits, _ . and - are allowed in a name\(hint)")
            }
            if let other = taken.updateValue(name, forKey: name.lowercased()), other != name {
                note(key, "\(field).\(name)", "is \(other) to Azure, which does not tell upper from lower case")
            }
        }
        return settings
    }

    /// Why a setting is not the user's; `nil` when it is.
    private static func reservation(ofSetting name: String) -> String? {
        let upper = name.uppercased()
        if upper.hasPrefix("SKLS_") || upper.hasPrefix("WEBSITES_") || ownSettings.contains(upper) {
            return "belongs to skls, whose agent needs it; take another name"
        }
        if platformSettings.contains(upper) { return "is set by the platform itself; take another name" }
        return nil
    }

    /// What we write for every site: another value keeps the agent from working.
    private static let ownSettings: Set<String> = [
        "FUNCTIONS_EXTENSION_VERSION", "WEBSITE_CONTENTSHARE", "WEBSITE_CONTENTAZUREFILECONNECTIONSTRING",
    ]

    /// Variables that App Service gives each container (reference-app-settings).
    private static let platformSettings: Set<String> = [
        "WEBSITE_SITE_NAME", "WEBSITE_RESOURCE_GROUP", "WEBSITE_OWNER_NAME", "WEBSITE_HOSTNAME",
        "WEBSITE_INSTANCE_ID", "REGION_NAME", "HOME", "PORT", "IDENTITY_ENDPOINT", "IDENTITY_HEADER", "MSI_ENDPOINT",
        "MSI_SECRET",
    ]

    /// Azure allows 50 tags on a resource; ours and the platform's hidden ones need some.
    private static let maximumTags = 40

    private mutating func tags(_ node: DocumentNode) -> [String: String] {
        let field = "spec.azure.tags"
        let tags = stringMap(node, at: field)
        var taken: [String: String] = [:]
        for (name, key) in keys(of: node) {
            let lower = name.lowercased()
            if lower.hasPrefix("skls-") {
                note(key, "\(field).\(name)", "tags that begin with skls- are skls' own; take another name")
            } else if lower.hasPrefix("hidden-") {
                note(key, "\(field).\(name)", "tags that begin with hidden- are the platform's; take another name")
            } else if let word = ["microsoft", "azure", "windows"].first(where: { lower.hasPrefix($0) }) {
                note(key, "\(field).\(name)", "Azure allows no tag whose name begins with \(word)")
            }
            if let character = name.first(where: { "<>%&\\?/".contains($0) }) {
                note(key, "\(field).\(name)", "Azure allows no \(character) in the name of a tag; nor < > % & \\ ? /")
            }
            if name.utf16.count > 512 {
                note(key, field, "a name of \(name.utf16.count) characters; Azure allows 512")
            }
            if let length = tags[name]?.utf16.count, length > 256 {
                note(key, "\(field).\(name)", "has \(length) characters; Azure allows 256")
            }
            if let other = taken.updateValue(name, forKey: lower), other != name {
                note(key, "\(field).\(name)", "is \(other) to Azure, which does not tell upper from lower case")
            }
        }
        if tags.count > ManifestDecoder.maximumTags {
            note(
                node, field,
                "\(tags.count) tags; at most \(ManifestDecoder.maximumTags) are allowed (Azure allows 50, and skls needs some)"
            )
        }
        return tags
    }

    private func keys(of node: DocumentNode) -> [(name: String, key: DocumentNode)] {
        guard case .mapping(let entries) = node.content else { return [] }
        return entries.compactMap { key, _ in
            if case .string(let name) = key.content { (name, key) } else { nil }
        }
    }
}

extension UInt8 {
    fileprivate var isASCIIWord: Bool {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
