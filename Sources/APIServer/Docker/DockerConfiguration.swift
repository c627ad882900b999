import AgentProtocol
import DesiredState

/// What Docker's clients said at create and expect to see again, kept verbatim in an annotation of the record.
///
/// The environment is left out but for names without a value: it is in the record's spec, and secrets have one place.
struct DockerConfiguration: Hashable, Sendable {
    static let annotation = "docker.skls.dev/config"

    let config: JSON
    let hostConfig: JSON

    init(createBody: JSON) {
        let own = createBody.removing(["HostConfig", "NetworkingConfig", "Env"])
        var names: [JSON] = []
        if case .array(let entries)? = createBody["Env"] {
            names = entries.filter { if case .string(let text) = $0 { !text.contains("=") } else { false } }
        }
        config = names.isEmpty ? own : own.merging(["Env": .array(names)])
        hostConfig = createBody["HostConfig"] ?? .object([])
    }

    /// Of a record that came another way there is nothing; of a damaged annotation neither, since it only serves to be shown.
    init(_ record: FunctionApp) {
        let text = record.metadata.annotations[DockerConfiguration.annotation]
        // The parse error is lost: nothing but the display depends on it.
        let value = text.flatMap { try? JSON.parse($0) }
        config = value?["Config"] ?? .object([])
        hostConfig = value?["HostConfig"] ?? .object([])
    }

    private init(config: JSON, hostConfig: JSON) {
        self.config = config
        self.hostConfig = hostConfig
    }

    /// With these fields in place of the earlier ones.
    func updating(hostConfig changes: JSON) -> DockerConfiguration {
        DockerConfiguration(config: config, hostConfig: hostConfig.merging(changes))
    }

    var text: String { (["Config": config, "HostConfig": hostConfig] as JSON).text }

    /// Variables that the image's environment shall not give; Docker shows them without `=`.
    var removedVariables: [String] {
        guard case .array(let names)? = config["Env"] else { return [] }
        return names.compactMap { if case .string(let text) = $0 { text } else { nil } }
    }

    /// Docker's default is TERM.
    var stopSignal: String? {
        guard case .string(let text)? = config["StopSignal"], !text.isEmpty else { return nil }
        return text
    }

    var stopTimeoutSeconds: Int? { config["StopTimeout"]?.integer.flatMap { Int(exactly: $0) } }

    /// Of the client's terminal at create, if it told one.
    var consoleSize: TerminalSize? {
        // What is no size was refused at create, or came another way.
        (try? TerminalSize(console: hostConfig["ConsoleSize"])) ?? nil
    }

    /// The input is closed when the first client that attaches to it leaves. Records that were not made by Docker's clients are used like that, too.
    var closesInputWithClient: Bool {
        if case .bool(let value)? = config["StdinOnce"] { value } else { true }
    }
}
