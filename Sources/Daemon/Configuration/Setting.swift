/// One thing that can be set, wherever it can be set.
struct Setting: Hashable, Sendable {
    /// The variable under which the rest of the daemon asks for it.
    let name: String
    /// All variables that set it; of those that are set the first counts.
    let variables: [String]
    /// Its place in the file, keys joined with dots.
    let key: String
    var isSecret = false
    /// `nil` = unset.
    var usual: String?

    private init(
        _ key: String, _ variables: String..., named name: String? = nil, secret isSecret: Bool = false,
        usual: String? = nil
    ) {
        self.key = key
        self.variables = variables
        self.name = name ?? variables[0]
        self.isSecret = isSecret
        self.usual = usual
    }

    /// In the order in which they are shown.
    static let all: [Setting] = listening + azure + sites + sweeping + cloud + credentials

    private static let listening: [Setting] = [
        Setting("listen.socket", "SKLS_SOCKET"),
        Setting("listen.group", "SKLS_SOCKET_GROUP"),
        Setting("listen.tcp", "SKLS_TCP_ADDRESS"),
        Setting("listen.tls_cert", "SKLS_TLS_CERT"),
        Setting("listen.tls_key", "SKLS_TLS_KEY"),
        Setting("listen.tls_ca_cert", "SKLS_TLS_CA_CERT"),
        Setting("listen.token_file", "SKLS_TOKEN_FILE"),
        Setting("state.path", "SKLS_STATE"),
        Setting("state.driver", "SKLS_STATE_DRIVER", usual: "sqlite"),
        Setting("logging.level", "SKLS_LOG_LEVEL", usual: "info"),
        Setting("logging.format", "SKLS_LOG_FORMAT", usual: "text"),
        Setting("sessions.mode", "SKLS_SESSIONS"),
        Setting("sessions.callback_url", "SOCKERLESS_CALLBACK_URL", "SKLS_CALLBACK_URL"),
        Setting("sessions.callback_addr", "SKLS_CALLBACK_ADDR"),
        Setting("sessions.callback_cert", "SKLS_CALLBACK_CERT"),
        Setting("sessions.callback_key", "SKLS_CALLBACK_KEY"),
        Setting("sessions.callback_ca", "SKLS_CALLBACK_CA"),
    ]

    private static let azure: [Setting] = [
        // The variable of Azure's SDKs comes last: it may be there for other programs.
        Setting(
            "azf.subscription_id", "SOCKERLESS_AZF_SUBSCRIPTION_ID", "AZURE_SUBSCRIPTION_ID",
            named: "AZURE_SUBSCRIPTION_ID"),
        Setting("azf.resource_group", "SKLS_RESOURCE_GROUP", "SOCKERLESS_AZF_RESOURCE_GROUP"),
        Setting("azf.location", "SKLS_LOCATION", "SOCKERLESS_AZF_LOCATION"),
        Setting("azf.storage_account", "SKLS_STORAGE_ACCOUNT", "SOCKERLESS_AZF_STORAGE_ACCOUNT"),
        Setting("azf.registry", "SKLS_REGISTRY", "SOCKERLESS_AZF_REGISTRY"),
        Setting("azf.app_service_plan", "SKLS_PLAN", "SOCKERLESS_AZF_APP_SERVICE_PLAN"),
        Setting("azf.timeout", "SKLS_TIMEOUT_SECONDS", "SOCKERLESS_AZF_TIMEOUT", usual: "600"),
        Setting(
            "azf.log_analytics_workspace", "SKLS_LOG_WORKSPACE", "SOCKERLESS_AZF_LOG_ANALYTICS_WORKSPACE"),
        Setting("azf.log_settle_seconds", "SKLS_LOG_SETTLE_SECONDS", usual: "900"),
        Setting("azf.console_logs", "SKLS_CONSOLE_LOGS"),
        Setting("azf.network_discovery", "SOCKERLESS_AZF_NETWORK_DISCOVERY", usual: "nat-gateway-only"),
        Setting("azf.access", "SOCKERLESS_AZF_ACCESS", usual: "none-internal"),
    ]

    private static let sites: [Setting] = [
        Setting("azf.managed_environment", "SKLS_MANAGED_ENVIRONMENT"),
        Setting("azf.workload_profile", "SKLS_WORKLOAD_PROFILE"),
        Setting("azf.identity", "SKLS_IDENTITY"),
        Setting("azf.identity_client_id", "SKLS_IDENTITY_CLIENT_ID"),
        Setting("azf.storage_connection_string", "SKLS_STORAGE_CONNECTION_STRING", secret: true),
        Setting("azf.content_share", "SKLS_CONTENT_SHARE", usual: "on"),
        Setting("azf.application_insights", "SKLS_APPINSIGHTS_CONNECTION_STRING", secret: true),
        Setting("azf.registry_server", "SKLS_REGISTRY_SERVER"),
        Setting("azf.registry_username", "SKLS_REGISTRY_USERNAME"),
        Setting("azf.registry_password", "SKLS_REGISTRY_PASSWORD", secret: true),
    ]

    private static let sweeping: [Setting] = [
        Setting("azf.leaks", "SKLS_LEAKS", usual: "delete"),
        Setting("azf.leak_age_seconds", "SKLS_LEAK_AGE_SECONDS", usual: "3600"),
        Setting("azf.leak_grace_seconds", "SKLS_LEAK_GRACE_SECONDS", usual: "86400"),
    ]

    private static let cloud: [Setting] = [
        Setting("azf.cloud", "SKLS_CLOUD", usual: "public"),
        Setting("azf.resource_manager", "SKLS_AZURE_ENDPOINT", "SOCKERLESS_ENDPOINT_URL"),
        Setting("azf.authority", "AZURE_AUTHORITY_HOST", "SOCKERLESS_ENDPOINT_URL"),
        Setting("azf.audience", "SKLS_AZURE_AUDIENCE"),
        Setting("azf.logs_endpoint", "SKLS_LOGS_ENDPOINT", "SOCKERLESS_ENDPOINT_URL"),
        Setting("azf.site_address", "SKLS_SITE_ADDRESS", "SOCKERLESS_ENDPOINT_URL"),
        Setting("azf.request_rates", "SKLS_REQUEST_RATES", usual: "published"),
    ]

    private static let credentials: [Setting] = [
        Setting("azure.tenant_id", "AZURE_TENANT_ID"),
        Setting("azure.client_id", "AZURE_CLIENT_ID"),
        Setting("azure.client_secret", "AZURE_CLIENT_SECRET", secret: true),
        Setting("azure.client_certificate_path", "AZURE_CLIENT_CERTIFICATE_PATH"),
        Setting("azure.federated_token_file", "AZURE_FEDERATED_TOKEN_FILE"),
        Setting("azure.token_credentials", "AZURE_TOKEN_CREDENTIALS"),
        Setting("azure.managed_identity", "SKLS_MANAGED_IDENTITY"),
    ]

    /// Variables and keys of Sockerless' own that ask for what this backend has no use for, each with the reason. They change nothing, so a variable is
    /// only told of, since it may be there for another backend; a key in the file is a fault.
    static let withoutEffect: [(name: String, reason: String)] = [
        ("SOCKERLESS_AZF_BOOTSTRAP", "the agent that is put into images is the one beside this program"),
        ("SOCKERLESS_AZF_BOOTSTRAP_TIMEOUT_SEC", "a start is given up when Azure gives it up"),
        ("SOCKERLESS_AZF_ACCESS_PRINCIPAL", "sites are reached with a secret of their own, not with a principal"),
        ("SOCKERLESS_AZURE_BUILD_STORAGE_ACCOUNT", "images are not built here"),
        ("SOCKERLESS_AZURE_BUILD_CONTAINER", "images are not built here"),
        ("SOCKERLESS_AZURE_BUILD_PLATFORM", "images are not built here, and Function Apps run linux/amd64"),
        ("SOCKERLESS_POLL_INTERVAL", "Azure is asked when there is a reason to, within its own limits"),
        ("SOCKERLESS_ENABLE_COMMIT", "a running Function App cannot be made an image"),
        ("agent.binary_path", "the agent is the one beside this program"),
        ("agent.port", "the agent listens where the site's platform tells it to"),
        ("agent.token_length", "each site has a secret of 32 bytes, derived from the store's key"),
    ]
}
