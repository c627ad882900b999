import AzureClient
import Testing

@testable import Daemon

/// What `sockerless-backend-azf` makes of its settings.
struct BackendSettingsTests {
    /// The exports of the example, without the callback.
    private static let exports = [
        "SOCKERLESS_AZF_SUBSCRIPTION_ID": "11111111-2222-3333-4444-555555555555",
        "SOCKERLESS_AZF_RESOURCE_GROUP": "rg", "SOCKERLESS_AZF_LOCATION": "eastus",
        "SOCKERLESS_AZF_STORAGE_ACCOUNT": "sockerlessstorage",
        "SOCKERLESS_AZF_LOG_ANALYTICS_WORKSPACE":
            "/subscriptions/s/resourceGroups/rg/providers/Microsoft.OperationalInsights/workspaces/logs",
    ]

    private func settings(
        _ changes: [String: String?] = [:], flags: [LoadedSettings.Flag] = [], yaml: String? = nil,
        isRoot: Bool = true, writable: Set<String> = ["/var/run"]
    ) throws(ConfigurationFaults) -> BackendSettings {
        var environment = Self.exports
        for (name, value) in changes { environment[name] = value }
        let file = yaml.map { LoadedSettings.File(path: "f.yaml", bytes: Array($0.utf8)) }
        return try BackendSettings(
            LoadedSettings(flags: flags, environment: environment, file: file), environment: environment,
            .init(isRoot: isRoot) { writable.contains($0) })
    }

    private func faults(_ body: () throws(ConfigurationFaults) -> BackendSettings) -> [String] {
        do throws(ConfigurationFaults) {
            _ = try body()
            return []
        } catch {
            return error.faults
        }
    }

    @Test func `the example's exports are enough`() throws {
        let settings = try settings()
        #expect(settings.daemon.socketPath == "/var/run/sockerless-backend.sock")
        #expect(settings.daemon.stateDirectory == "/var/lib/sockerless")
        #expect(settings.notices.isEmpty && settings.logLevel == "info" && settings.logFormat == .text)
        guard case .azure(let azure) = settings.daemon.azure else { throw ConfigurationFaults(faults: ["azure"]) }
        #expect(azure.sites.keylessAccount?.rawValue == "sockerlessstorage", "its key is asked for")
        #expect(AzureSettings.workspaceResource(azure.logWorkspace ?? "")?.name == "logs")
    }

    @Test func `output is copied to the console where there is a workspace, unless it is said otherwise`() throws {
        func copies(_ changes: [String: String?]) throws -> Bool {
            guard case .azure(let azure) = try settings(changes).daemon.azure else { return false }
            return azure.copiesOutput
        }
        #expect(try copies([:]))
        #expect(try !copies(["SOCKERLESS_AZF_LOG_ANALYTICS_WORKSPACE": ""]))
        #expect(try !copies(["SKLS_CONSOLE_LOGS": "off"]))
        #expect(try copies(["SKLS_CONSOLE_LOGS": "on", "SOCKERLESS_AZF_LOG_ANALYTICS_WORKSPACE": ""]))
        #expect(
            faults { () throws(ConfigurationFaults) in try settings(["SKLS_CONSOLE_LOGS": "yes"]) }
                == ["SKLS_CONSOLE_LOGS is neither on nor off: yes"])
    }

    @Test func `where the usual socket cannot be made another one is taken, and that is said`() throws {
        let settings = try settings(
            ["XDG_RUNTIME_DIR": "/run/user/7", "HOME": "/home/me"], isRoot: false, writable: [])
        #expect(settings.daemon.socketPath == "/run/user/7/sockerless-backend.sock")
        #expect(settings.daemon.stateDirectory == "/home/me/.local/state/sockerless")
        #expect(
            settings.notices == [
                "/var/run/sockerless-backend.sock cannot be made by this user, so the socket is /run/user/7/sockerless-backend.sock"
            ])
        #expect(faults { () throws(ConfigurationFaults) in try self.settings(isRoot: false, writable: []) }.count == 2)
    }

    @Test func `everything that is missing or wrong is told at once, by the place it comes from`() {
        let faults = faults { () throws(ConfigurationFaults) in
            try settings(
                [
                    "SOCKERLESS_AZF_SUBSCRIPTION_ID": nil, "SOCKERLESS_AZF_STORAGE_ACCOUNT": nil,
                    "SOCKERLESS_AZF_LOG_ANALYTICS_WORKSPACE": "my-workspace", "SOCKERLESS_AZF_ACCESS": "azure-ad",
                ], flags: [LoadedSettings.Flag("logging.level", flag: "-log-level", value: "loud")],
                yaml: "azf:\n  timeout: 10m\n  network_discovery: cloud-dns\n  planet: x\nstate:\n  driver: memory\n")
        }
        let expected: [String] = [
            "f.yaml:4: there is no setting azf.planet",
            "state.driver (f.yaml:6): only sqlite, not memory: what was begun in Azure must outlive the process",
            "-log-level: debug, info, warn or error, not loud",
            "azf.storage_account ($SKLS_STORAGE_ACCOUNT, $SOCKERLESS_AZF_STORAGE_ACCOUNT) is not set: the storage account that Azure Functions keeps its own state in",
            "azf.subscription_id ($SOCKERLESS_AZF_SUBSCRIPTION_ID, $AZURE_SUBSCRIPTION_ID) is not set: where the Function Apps go",
            "SOCKERLESS_AZF_LOG_ANALYTICS_WORKSPACE: the workspace's GUID (its customerId) or its resource id is wanted, not my-workspace",
            "azf.timeout (f.yaml:2): a number of seconds from 0 (no limit) to 31536000, not 10m",
            "azf.network_discovery (f.yaml:3): only nat-gateway-only is possible, not cloud-dns: Function Apps have no network in common",
            "SOCKERLESS_AZF_ACCESS: only none-internal is possible, not azure-ad: daemon and agent prove themselves to each other with a secret of the site",
        ]
        #expect(faults == expected)
    }

    @Test func `a port alone is one of this machine, and that is said`() throws {
        let flag = LoadedSettings.Flag("listen.tcp", flag: "-addr", value: ":9100")
        let settings = try settings(flags: [flag])
        #expect(settings.daemon.access.addresses == ["tcp://127.0.0.1:9100"])
        #expect(settings.daemon.socketPath == "/var/lib/sockerless/backend.sock", "the usual one is not asked for")
        #expect(settings.notices.count == 1 && settings.notices[0].hasPrefix(":9100 is taken as tcp://127.0.0.1:9100"))
    }

    @Test func `sessions are off unless agents are told where to call`() throws {
        guard case .off = try settings().daemon.sessions else { return #expect(Bool(false)) }
        let callback = ["SOCKERLESS_CALLBACK_URL": "http://127.0.0.1:9200"]
        guard case .reverse(let told) = try settings(callback.mapValues { .some($0) }).daemon.sessions else {
            return #expect(Bool(false))
        }
        #expect(told.url == "http://127.0.0.1:9200")
        let far = faults { () throws(ConfigurationFaults) in
            try settings(["SOCKERLESS_CALLBACK_URL": "http://backend.example:9100"])
        }
        #expect(far.first?.contains("it is needed where the callback's URL is not on this machine") == true, "\(far)")
    }

    @Test func `TCP is open to other machines only with proof, and TLS has its parts together`() throws {
        let open = ["SKLS_TCP_ADDRESS": "0.0.0.0:9100"]
        let tls = ["SKLS_TLS_CERT": "/c.pem", "SKLS_TLS_KEY": "/k.pem"]
        func told(_ changes: [String: String]) -> [String] {
            faults { () throws(ConfigurationFaults) in try settings(changes.mapValues { .some($0) }) }
        }
        #expect(told(open).first?.contains("can be reached from other machines") == true)
        #expect(told(open.merging(tls) { $1 }).first?.contains("can be reached from other machines") == true)
        #expect(
            told(tls) == [
                "TLS and tokens are for TCP: say where to listen with listen.tcp ($SKLS_TCP_ADDRESS)"
            ])
        #expect(told(["SKLS_TCP_ADDRESS": ":1", "SKLS_TLS_CERT": "/c.pem"]).first?.contains("need each other") == true)
        #expect(
            told(["SKLS_TCP_ADDRESS": "nowhere"]) == [
                "SKLS_TCP_ADDRESS is no address such as :9100 or tcp://127.0.0.1:9100: nowhere"
            ])
        let proved = try settings(
            open.merging(tls) { $1 }.merging(["SKLS_TLS_CA_CERT": "/ca.pem"]) { $1 }.mapValues { .some($0) })
        #expect(proved.daemon.access.verifiesClients && proved.daemon.access.clientAuthority == "/ca.pem")
    }

    @Test func `sessions are off unless there is a callback's URL, which needs a port of its own`() throws {
        guard case .off = try settings().daemon.sessions else { throw ConfigurationFaults(faults: ["not off"]) }
        let callback = ["SOCKERLESS_CALLBACK_URL": "http://127.0.0.1:9100"]
        guard case .reverse = try settings(callback.mapValues { .some($0) }).daemon.sessions else {
            throw ConfigurationFaults(faults: ["not reverse"])
        }
        let both = callback.merging(["SKLS_TCP_ADDRESS": ":9100"]) { $1 }
        let told = faults { () throws(ConfigurationFaults) in try settings(both.mapValues { .some($0) }) }
        #expect(told.count == 1 && told[0].hasPrefix("SOCKERLESS_CALLBACK_URL: agents call a listener of their own"))
        let apart = both.merging(["SKLS_CALLBACK_ADDR": "127.0.0.1:9101"]) { $1 }
        #expect(faults { () throws(ConfigurationFaults) in try settings(apart.mapValues { .some($0) }) }.isEmpty)
    }

    @Test func `Go's names of levels are understood`() throws {
        #expect(try settings(["SKLS_LOG_LEVEL": "warn"]).logLevel == "warning")
        #expect(try settings(["SKLS_LOG_LEVEL": "WARN", "SKLS_LOG_FORMAT": "json"]).logFormat == .json)
    }

    @Test(arguments: [
        ("unix:///run/a.sock", ListenAddress.unix("/run/a.sock")), ("/run/a.sock", .unix("/run/a.sock")),
        (":9100", .tcp(host: "127.0.0.1", port: 9100)), ("localhost:1", .tcp(host: "localhost", port: 1)),
        ("http://localhost:9100", .tcp(host: "localhost", port: 9100)),
        ("http://localhost:9100/", .tcp(host: "localhost", port: 9100)),
        ("tcp://[::1]:9100", .tcp(host: "::1", port: 9100)), ("0.0.0.0:80", .tcp(host: "0.0.0.0", port: 80)),
    ])
    func `addresses are taken as Go's programs and Docker's take them`(text: String, address: ListenAddress) {
        #expect(ListenAddress(text) == address)
        #expect(ListenAddress(address.description) == address, "\(address)")
    }

    @Test(arguments: ["", "9100", "unix://", "unix://a", "host:", "host:x", ":70000", "a b:1", "https://x:1/p"])
    func `other texts are no addresses`(text: String) {
        #expect(ListenAddress(text) == nil)
    }

    @Test func `what only this machine reaches is known`() {
        for text in [":1", "127.0.0.9:1", "[::1]:1", "LocalHost:1", "/s"] {
            #expect(ListenAddress(text)?.isLocal == true, "\(text)")
        }
        for text in ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "127.example.org:1"] {
            #expect(ListenAddress(text)?.isLocal == false, "\(text)")
        }
    }
}
