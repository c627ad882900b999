/// All that `sockerless-backend-azf` runs with, once every layer was read.
package struct BackendSettings: Sendable {
    /// What the machine says, and not the configuration.
    package struct Surroundings: Sendable {
        package var isRoot: Bool
        /// Whether files can be made in the folder.
        package var isWritable: @Sendable (_ folder: String) -> Bool

        package init(isRoot: Bool, isWritable: @escaping @Sendable (String) -> Bool) {
            self.isRoot = isRoot
            self.isWritable = isWritable
        }
    }

    /// Where Sockerless' frontends look for a backend.
    static let usualSocket = "/var/run/sockerless-backend.sock"
    /// Where its runtime data goes.
    static let usualState = "/var/lib/sockerless"

    package private(set) var loaded: LoadedSettings
    package private(set) var daemon: DaemonConfiguration
    package let logLevel: String
    package let logFormat: LogFormat
    /// What an operator should know before it begins.
    package private(set) var notices: [String]

    /// Throws everything that is missing or wrong, in all layers, at once.
    package init(_ layers: LoadedSettings, environment: [String: String], _ here: Surroundings)
        throws(ConfigurationFaults)
    {
        var loaded = layers
        var faults: [String] = []
        notices = layers.notes
        let state = BackendSettings.state(&loaded, environment, here, &faults)
        let address = BackendSettings.address(&loaded, state, environment, here, &faults, &notices)
        let access = loaded.access(&faults, &notices)
        (logLevel, logFormat) = loaded.logging(&faults)
        // Who sets no callback's URL expects a function backend, without exec and attach.
        if loaded["sessions.callback_url"] == nil { loaded.fill("sessions.mode", "off") }
        let sessions = loaded.sessions(&faults)
        BackendSettings.checkPorts(loaded, access, &faults)
        if loaded["azf.storage_account"] == nil, loaded["azf.storage_connection_string"] == nil {
            faults.append(
                "SKLS_STORAGE_ACCOUNT is not set: the storage account that Azure Functions keeps its own state in")
        }
        var settings: AzureSettings?
        var hints: [String] = []
        do throws(ConfigurationFaults) {
            settings = try AzureSettings(environment: loaded.variables)
        } catch {
            faults += error.faults
            hints = error.hints
        }
        guard faults.isEmpty, layers.faults.isEmpty, let settings, let address, let access, let sessions, let state
        else {
            throw ConfigurationFaults(faults: layers.faults + loaded.located(faults), hints: hints)
        }
        daemon = DaemonConfiguration(stateDirectory: state, socketPath: address, azure: .azure(settings))
        daemon.sessions = sessions
        daemon.access = access
        self.loaded = loaded
    }

    // MARK: parts

    /// The example of Sockerless has agents call the API's own port; here they call a listener that answers nothing else.
    private static func checkPorts(_ loaded: LoadedSettings, _ access: AccessSettings?, _ faults: inout [String]) {
        guard loaded["sessions.callback_addr"] == nil, let url = loaded["sessions.callback_url"],
            case .tcp(_, let port)? = ListenAddress(url),
            access?.addresses.contains(where: { $0.hasSuffix(":\(port)") }) ?? false
        else { return }
        faults.append(
            "SOCKERLESS_CALLBACK_URL: agents call a listener of their own, and port \(port) is the API's: take another port "
                + "for them, or say with SKLS_CALLBACK_ADDR where to listen")
    }

    /// The path of the socket; `nil` with a fault.
    private static func address(
        _ loaded: inout LoadedSettings, _ state: String?, _ environment: [String: String], _ here: Surroundings,
        _ faults: inout [String], _ notices: inout [String]
    ) -> String? {
        if let text = loaded["listen.socket"] {
            guard case .unix(let path) = ListenAddress(text) else {
                faults.append("SKLS_SOCKET is no absolute path: \(text)")
                return nil
            }
            return path
        }
        if loaded["listen.tcp"] != nil, let state {
            // Who asks for TCP does not ask for the usual socket; this one is for operators.
            let path = state + "/backend.sock"
            loaded.fill("listen.socket", path)
            return path
        }
        if here.isWritable("/var/run") {
            loaded.fill("listen.socket", usualSocket)
            return usualSocket
        }
        guard let folder = environment["XDG_RUNTIME_DIR"], folder.hasPrefix("/") else {
            faults.append(
                "SKLS_SOCKET is not set, \(usualSocket) cannot be made by this user, and XDG_RUNTIME_DIR names no other "
                    + "place")
            return nil
        }
        let path = folder + "/sockerless-backend.sock"
        notices.append("\(usualSocket) cannot be made by this user, so the socket is \(path)")
        loaded.fill("listen.socket", path)
        return path
    }

    private static func state(
        _ loaded: inout LoadedSettings, _ environment: [String: String], _ here: Surroundings, _ faults: inout [String]
    ) -> String? {
        switch loaded["state.driver"] {
        case "sqlite", nil: break
        case "memory"?:
            faults.append(
                "SKLS_STATE_DRIVER: only sqlite, not memory: what was begun in Azure must outlive the process")
        case let other?: faults.append("SKLS_STATE_DRIVER: only sqlite, not \(other)")
        }
        if let path = loaded["state.path"] {
            guard path.hasPrefix("/") else {
                faults.append("SKLS_STATE is no absolute path: \(path)")
                return nil
            }
            return path
        }
        var path = usualState
        if !here.isRoot {
            let home = environment["XDG_STATE_HOME"].flatMap { $0.isEmpty ? nil : $0 }
            guard let base = home ?? environment["HOME"].map({ $0 + "/.local/state" }) else {
                faults.append(
                    "SKLS_STATE is not set, and neither XDG_STATE_HOME nor HOME says where records can be kept")
                return nil
            }
            path = base + "/sockerless"
        }
        loaded.fill("state.path", path)
        return path
    }
}
