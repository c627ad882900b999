/// The body of a site PUT, checked.
struct SiteRequest: Sendable {
    struct PlanReference: Sendable {
        /// Nil if the plan was named without an id; then it is in the site's group.
        var group: String?
        var name: String
    }

    /// Why a body was refused, as the reply that says so.
    struct Refusal: Error {
        var reply: Reply
    }

    var name: String
    var kind: String
    var tags: [JSON.Member]
    var identity: JSON?
    var plan: PlanReference?
    var properties: JSON
    /// Nil if the body holds none: then the site keeps its own.
    var appSettings: [AppSetting]?

    static func read(_ body: [UInt8], name: String, settings: WorldSettings) -> Result<SiteRequest, Refusal> {
        do throws(Refusal) { return .success(try SiteRequest(body, name: name, settings: settings)) } catch {
            return .failure(error)
        }
    }

    private init(_ body: [UInt8], name: String, settings: WorldSettings) throws(Refusal) {
        let resource: JSON
        do throws(JSON.SyntaxError) { resource = try JSON(parsing: body) } catch {
            throw Self.content("\(error.message) at offset \(error.offset)")
        }
        guard resource.members != nil else { throw Self.content("the body is not an object") }
        guard let location = resource["location"]?.string, !location.isEmpty else {
            throw Refusal(
                reply: AzureErrorBody.resourceManager(
                    400, "LocationRequired", "The location property is required for this definition."))
        }
        guard WorldSettings.isSameLocation(location, settings.location) else {
            throw Refusal(
                reply: AzureErrorBody.resourceManager(
                    400, "LocationNotAvailableForResourceType",
                    "The provided location '\(location)' is not available for resource type 'Microsoft.Web/sites'. "
                        + "List of available regions for the resource type is '\(settings.location)'."))
        }
        guard Self.isValidName(name) else { throw Self.parameter("name") }
        self.name = name
        kind = resource["kind"]?.string ?? "app"
        tags = try Self.tags(resource["tags"])
        identity = resource["identity"].flatMap { $0.isNull ? nil : $0 }
        properties = resource["properties"] ?? [:]
        guard properties.members != nil else { throw Self.content("'properties' is not an object") }
        plan = try Self.plan(properties["serverFarmId"])
        appSettings = try Self.appSettings(properties["siteConfig"]?["appSettings"])
        if let config = properties["siteConfig"], !config.isNull, config.members == nil {
            throw Self.content("'siteConfig' is not an object")
        }
        if let version = properties["siteConfig"]?["linuxFxVersion"]?.string, !version.isEmpty {
            // Docker images only: other runtimes are not simulated.
            let isDocker = version.lowercased().hasPrefix("docker|")
            guard isDocker, ImageReference(version.dropFirst(7)) != nil else { throw Self.parameter("LinuxFxVersion") }
        }
    }

    /// Puts what the request says into a site: tags as a whole, configuration member by member, settings as a whole.
    func apply(to site: inout Site) {
        site.name = name
        site.kind = kind
        site.tags = tags
        if let identity { site.identity = identity }
        if case .bool(let value) = properties["httpsOnly"] { site.httpsOnly = value }
        if case .bool(let value) = properties["clientAffinityEnabled"] { site.clientAffinityEnabled = value }
        if let access = properties["publicNetworkAccess"]?.string { site.publicNetworkAccess = access }
        for member in properties["siteConfig"]?.members ?? [] where member.name.lowercased() != "appsettings" {
            if member.value.isNull { continue }
            if let index = site.siteConfig.firstIndex(where: { $0.name.lowercased() == member.name.lowercased() }) {
                site.siteConfig[index].value = member.value
            } else {
                site.siteConfig.append(member)
            }
        }
        if let appSettings { site.appSettings = appSettings }
    }

    // MARK: Parts

    /// 2 to 60 letters, digits and hyphens, no hyphen at the ends (Azure docs, resource-name-rules, read 2026-02).
    static func isValidName(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        func isAlphanumeric(_ byte: UInt8) -> Bool {
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
        }
        guard (2...60).contains(bytes.count), let first = bytes.first, let last = bytes.last else { return false }
        return isAlphanumeric(first) && isAlphanumeric(last)
            && bytes.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: "-") }
    }

    /// At most 50 tags, names to 512 and values to 256 characters, names without regard to case
    /// (Azure docs, tag-resources, read 2026-02). The error codes are guesses.
    private static func tags(_ value: JSON?) throws(Refusal) -> [JSON.Member] {
        guard let value, !value.isNull else { return [] }
        guard let members = value.members else { throw content("'tags' is not an object") }
        if members.count > 50 {
            throw tag("InvalidTagCount", "The number of tags exceeds the maximum of 50.")
        }
        var names: Set<String> = []
        for member in members {
            guard let text = member.value.string else { throw content("tag '\(member.name)' is not a string") }
            if member.name.isEmpty || member.name.count > 512 {
                throw tag("InvalidTagName", "The tag name '\(member.name.prefix(64))' is not valid.")
            }
            if text.count > 256 {
                throw tag("InvalidTagValueLength", "The value of tag '\(member.name)' exceeds 256 characters.")
            }
            if !names.insert(member.name.lowercased()).inserted {
                throw tag("DuplicateTagName", "The tag name '\(member.name)' is there twice.")
            }
        }
        return members
    }

    private static func plan(_ value: JSON?) throws(Refusal) -> PlanReference? {
        guard let text = value?.string, !text.isEmpty else { return nil }
        // A bare name is taken as well (observed in recorded replies).
        guard text.contains("/") else { return PlanReference(group: nil, name: text) }
        let path = ResourcePath(path: text)
        guard path.type.lowercased() == "microsoft.web/serverfarms", path.suffix.isEmpty, let group = path.group,
            let name = path.name
        else { throw parameter("ServerFarmId") }
        return PlanReference(group: group, name: name)
    }

    /// An array replaces all settings. Of two with one name the last counts (guess).
    private static func appSettings(_ value: JSON?) throws(Refusal) -> [AppSetting]? {
        guard let value, !value.isNull else { return nil }
        guard let elements = value.array else { throw content("'appSettings' is not an array") }
        var settings: [AppSetting] = []
        var positions: [String: Int] = [:]
        for element in elements {
            guard let name = element["name"]?.string, isValidSettingName(name) else { throw parameter("AppSettings") }
            let text = element["value"]?.string ?? ""
            // Neither an environment nor the runtime's argument list can hold NUL.
            guard !text.utf8.contains(0) else { throw parameter("AppSettings") }
            if let position = positions[name] {
                settings[position].value = text
            } else {
                positions[name] = settings.count
                settings.append(AppSetting(name: name, value: text))
            }
        }
        return settings
    }

    /// On Linux: letters, digits, periods and underscores (Azure docs, configure-common, read 2026-02).
    private static func isValidSettingName(_ name: String) -> Bool {
        !name.isEmpty
            && name.utf8.allSatisfy {
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                    || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0 | 0x20)
                    || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: ".")
            }
    }

    // MARK: Refusals

    private static func content(_ text: String) -> Refusal {
        Refusal(
            reply: AzureErrorBody.resourceManager(
                400, "InvalidRequestContent",
                "The request content was invalid and could not be deserialized: '\(text)'."))
    }

    private static func parameter(_ name: String) -> Refusal {
        Refusal(
            reply: AzureErrorBody.web(
                400, "BadRequest", extended: "51021", "The parameter {0} has an invalid value.", [name]))
    }

    private static func tag(_ code: String, _ text: String) -> Refusal {
        Refusal(reply: AzureErrorBody.resourceManager(400, code, text))
    }
}
