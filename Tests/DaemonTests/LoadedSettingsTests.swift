import Testing

@testable import Daemon

/// Flags, environment, file and usual values, one upon the other.
struct LoadedSettingsTests {
    private static let path = "/etc/azf.yaml"

    private func load(
        _ yaml: String? = nil, environment: [String: String] = [:], flags: [LoadedSettings.Flag] = []
    ) -> LoadedSettings {
        LoadedSettings(
            flags: flags, environment: environment,
            file: yaml.map { LoadedSettings.File(path: Self.path, bytes: Array($0.utf8)) })
    }

    /// The example of the backend's specification, with what it leaves open.
    private static let seed = """
        azf:
          subscription_id: "11111111-2222-3333-4444-555555555555"
          resource_group: sockerless-rg
          location: eastus
          storage_account: sockerlessstorage    # Required for Azure Functions
          registry: sockerless.azurecr.io       # ACR registry
          app_service_plan: ""                  # Empty = Consumption plan
          timeout: 600                          # seconds (max 600 on Consumption)
        """

    @Test func `the specification's file is understood, and an empty value is unset`() throws {
        let loaded = load(Self.seed)
        #expect(loaded.faults.isEmpty && loaded.notes.isEmpty)
        #expect(loaded["azf.resource_group"] == "sockerless-rg" && loaded["azf.app_service_plan"] == nil)
        #expect(loaded.origin("azf.location") == .file(Self.path, key: "azf.location", line: 4))
        let settings = try AzureSettings(environment: loaded.variables)
        #expect(settings.subscriptionID == "11111111-2222-3333-4444-555555555555" && settings.plan == nil)
        #expect(settings.registry == "https://sockerless.azurecr.io" && settings.runTimeoutSeconds == 600)
    }

    @Test func `flags come before the environment, that before the file, and that before the usual values`() {
        let flag = LoadedSettings.Flag("logging.level", flag: "-log-level", value: "debug")
        let yaml = Self.seed + "\nlogging:\n  level: warn\n  format: json\n"
        let variables = ["SKLS_LOG_LEVEL": "error", "SOCKERLESS_AZF_LOCATION": "westeurope"]
        let all = load(yaml, environment: variables, flags: [flag])
        #expect(all["logging.level"] == "debug" && all.origin("logging.level") == .flag("-log-level"))
        #expect(load(yaml, environment: variables)["logging.level"] == "error")
        #expect(load(yaml)["logging.level"] == "warn" && load()["logging.level"] == "info")
        #expect(all["logging.format"] == "json")
        #expect(all["azf.location"] == "westeurope")
        #expect(all.origin("azf.location") == .variable("SOCKERLESS_AZF_LOCATION"))
        #expect(all.origin("azf.cloud") == .usual)
        #expect(load(yaml, environment: ["SKLS_LOG_LEVEL": ""])["logging.level"] == "warn", "empty is unset")
    }

    @Test func `of two variables for one thing the more special one counts`() {
        let variables = [
            "AZURE_SUBSCRIPTION_ID": "a", "SOCKERLESS_AZF_SUBSCRIPTION_ID": "b", "SKLS_LOCATION": "c",
            "SOCKERLESS_AZF_LOCATION": "d",
        ]
        let loaded = load(environment: variables)
        #expect(loaded.variables["AZURE_SUBSCRIPTION_ID"] == "b" && loaded.variables["SKLS_LOCATION"] == "c")
    }

    @Test func `one address stands in for all of the cloud, and a single one before it`() {
        let loaded = load(
            environment: [
                "SOCKERLESS_ENDPOINT_URL": "http://127.0.0.1:9", "SKLS_LOGS_ENDPOINT": "http://127.0.0.1:10",
            ]
        ).variables
        for name in ["SKLS_AZURE_ENDPOINT", "AZURE_AUTHORITY_HOST", "SKLS_SITE_ADDRESS"] {
            #expect(loaded[name] == "http://127.0.0.1:9")
        }
        #expect(loaded["SKLS_LOGS_ENDPOINT"] == "http://127.0.0.1:10")
    }

    @Test func `what the daemon does not know is refused with what may be meant, and all of it at once`() {
        let yaml = """
            azf:
              subscriptionid: x
              resource_grup: y
              location: eastus
              location: westus
              registry: [a, b]
            agent:
              port: 9111
            state: {driver: memory}
            nonsense: 1
            """
        let faults = load(yaml, environment: ["SOCKERLESS_AZF_LOCATON": "x"]).faults
        #expect(
            faults.contains(
                "/etc/azf.yaml:2: there is no setting azf.subscriptionid; did you mean azf.subscription_id?"))
        #expect(
            faults.contains("/etc/azf.yaml:3: there is no setting azf.resource_grup; did you mean azf.resource_group?"))
        #expect(faults.contains { $0.contains("/etc/azf.yaml:5:3: azf: the key location is given twice") })
        #expect(faults.contains { $0.contains("azf.registry: must be a single value, not a list") })
        #expect(
            faults.contains(
                "/etc/azf.yaml:8: agent.port has no effect: the agent listens where the site's platform tells it to; remove it"
            ))
        #expect(faults.contains("/etc/azf.yaml:10: there is no setting nonsense"))
        #expect(
            faults.contains("there is no variable SOCKERLESS_AZF_LOCATON; did you mean SOCKERLESS_AZF_LOCATION?"))
        #expect(faults.count == 7, "\(faults)")
    }

    @Test func `variables of Sockerless that mean nothing here are told of, and others' are left alone`() {
        let loaded = load(
            environment: ["SOCKERLESS_POLL_INTERVAL": "2s", "SOCKERLESS_ECS_CLUSTER": "c", "SKLS_WHATEVER": "x"])
        #expect(loaded.faults.isEmpty)
        #expect(loaded.notes.count == 1 && loaded.notes[0].hasPrefix("SOCKERLESS_POLL_INTERVAL has no effect: "))
    }

    @Test(arguments: ["azf: [1]", "- a", "azf: {", "just text", "azf: {a: {b: {c: {d: {e: 1}}}}}", "\u{1}"])
    func `a file that is none is a fault with its place`(yaml: String) {
        let faults = load(yaml).faults
        #expect(!faults.isEmpty && faults.allSatisfy { $0.hasPrefix("/etc/azf.yaml:") }, "\(faults)")
    }

    @Test func `the table shows each value and where it comes from, and no secret`() {
        let loaded = load(
            Self.seed + "\n  registry_password: canary-1\n",
            environment: [
                "AZURE_CLIENT_SECRET": "canary-2", "SKLS_STORAGE_CONNECTION_STRING": "canary-3", "SKLS_PLAN": "p1",
            ])
        let text = loaded.tableText
        #expect(!text.contains("canary"))
        let rows = loaded.table.map { "\($0.key) = \($0.value) (\($0.origin))" }
        for row in [
            "azf.registry_password = (hidden) (azf.registry_password in /etc/azf.yaml:9)",
            "azure.client_secret = (hidden) ($AZURE_CLIENT_SECRET)", "azf.app_service_plan = p1 ($SKLS_PLAN)",
            "azf.location = eastus (azf.location in /etc/azf.yaml:4)",
            "azf.timeout = 600 (azf.timeout in /etc/azf.yaml:8)",
            "azf.cloud = public (default)", "azf.identity =  (unset)",
        ] { #expect(rows.contains(row), "\(row)") }
        #expect(text.split(separator: "\n").count == Setting.all.count)
    }

    @Test func `each setting has a key of its own, and a variable that is the daemon's own`() {
        #expect(Set(Setting.all.map(\.key)).count == Setting.all.count)
        #expect(Set(Setting.all.map(\.name)).count == Setting.all.count)
        for setting in Setting.all { #expect(setting.variables.contains(setting.name), "\(setting.key)") }
    }
}
