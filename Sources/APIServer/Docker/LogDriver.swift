import HTTPTypes

/// The log drivers that there are: what all but `none` do here is to keep the output and read it back. Their options are checked and shown; how long a log
/// gets is not bounded by them.
///
/// Statuses, texts and options: dockerd 28.5.2 (observed 2026-11-21).
enum LogDriver: String, CaseIterable {
    case journald
    case jsonFile = "json-file"
    case local
    case none

    static let usual = LogDriver.jsonFile

    private static let selection: Set<String> = ["labels", "labels-regex", "env", "env-regex", "tag"]
    private static let rotation: Set<String> = ["max-file", "max-size", "compress"]

    private var options: Set<String> {
        switch self {
        case .journald: LogDriver.selection
        case .jsonFile: LogDriver.selection.union(LogDriver.rotation)
        case .local: LogDriver.rotation
        case .none: []
        }
    }

    /// What a create's `HostConfig` asks for. Throws what dockerd refuses.
    init(hostConfig: JSON) throws(DockerError) {
        let wanted = hostConfig["LogConfig"] ?? .null
        let name = try wanted.string("Type") ?? ""
        let options = try LogDriver.options(wanted["Config"])
        let driver = name.isEmpty ? LogDriver.usual : LogDriver(rawValue: name)
        if driver != LogDriver.none { try LogDriver.checkDelivery(options) }
        guard let driver else {
            throw .badParameter("error looking up logging plugin \(name): plugin \"\(name)\" not found")
        }
        try driver.check(options)
        self = driver
    }

    private static func options(_ json: JSON?) throws(DockerError) -> [String: String] {
        switch json {
        case nil, .null: return [:]
        case .object(let members):
            var options: [String: String] = [:]
            for member in members {
                guard case .string(let value) = member.value else {
                    throw .badParameter("invalid JSON: the log opt '\(member.name)' must be a string")
                }
                options[member.name] = value
            }
            return options
        case .some(let other):
            throw .badParameter("invalid JSON: LogConfig.Config must be an object, not \(other.kind)")
        }
    }

    /// Options of all drivers.
    private static func checkDelivery(_ options: [String: String]) throws(DockerError) {
        let mode = options["mode"] ?? ""
        guard ["", "blocking", "non-blocking"].contains(mode) else {
            throw .badParameter("logger: logging mode not supported: \(mode)")
        }
        guard let size = options["max-buffer-size"] else { return }
        guard mode == "non-blocking" else {
            throw .badParameter("logger: max-buffer-size option is only supported with 'mode=non-blocking'")
        }
        guard size.wholeMatch(of: /[0-9]+(\.[0-9]+)? ?([kKmMgGtTpP]?[iI]?[bB]?)/) != nil else {
            throw .badParameter("error parsing option max-buffer-size: invalid size: '\(size)'")
        }
    }

    private func check(_ options: [String: String]) throws(DockerError) {
        guard self != .none else { return }
        for name in options.keys.sorted()
        where !self.options.contains(name) && !["mode", "max-buffer-size"].contains(name) && !name.hasPrefix("cache-") {
            throw .badParameter(
                self == .local
                    ? "unknown log opt '\(name)' for log driver local"
                    : "unknown log opt '\(name)' for \(rawValue) log driver")
        }
    }

    /// `HostConfig.LogConfig` as inspect shows it.
    static func shown(_ hostConfig: JSON, keepsLog: Bool) -> JSON {
        let asked = hostConfig["LogConfig"] ?? .null
        var type = usual.rawValue
        if case .string(let name)? = asked["Type"], !name.isEmpty { type = name }
        var config: JSON = [:]
        if case .object? = asked["Config"] { config = asked["Config"] ?? config }
        return ["Type": .string(keepsLog ? type : LogDriver.none.rawValue), "Config": config]
    }
}

extension DockerError {
    /// Of a log that is not kept (dockerd 28.5.2, observed 2026-11-21).
    static let logNotReadable = DockerError(
        .notImplemented, "configured logging driver does not support reading")
}
