import AzureClient

/// What to do about what ``Doctor`` finds.
enum DoctorAdvice {
    static let noToken =
        "set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, or give this machine an identity, or run az login"

    static func refusedCredential(_ error: AzureError?) -> String {
        switch error?.innerCode {
        case "AADSTS7000215": "set AZURE_CLIENT_SECRET to the secret's value (not its id), or make a new secret"
        case "AADSTS7000222": "the secret has expired: make a new one"
        case "AADSTS700016": "check AZURE_CLIENT_ID and that the application is in the tenant AZURE_TENANT_ID"
        case "AADSTS90002": "check AZURE_TENANT_ID and the cloud (SKLS_CLOUD)"
        case "AADSTS700024": "set this machine's clock: the proof is out of its time"
        case "AADSTS70021", "AADSTS700213": "add a federated credential for this issuer and subject to the application"
        default:
            switch error?.code {
            case .connection, .timedOut: "check the network, HTTPS_PROXY and NO_PROXY, and AZURE_AUTHORITY_HOST"
            default: "correct this credential, or leave it out with AZURE_TOKEN_CREDENTIALS"
            }
        }
    }

    static func of(_ error: AzureError, _ settings: AzureSettings) -> String {
        switch error.code {
        case .forbidden:
            "assign the role Website Contributor on the resource group to the object of the token: az role assignment "
                + "create --role 'Website Contributor' --assignee OBJECT --scope "
                + "/subscriptions/\(settings.subscriptionID)/resourceGroups/\(settings.resourceGroup)"
        case .scopeNotFound: "check AZURE_SUBSCRIPTION_ID, and that it belongs to the tenant of the token"
        case .unauthorized: "the token is refused: check the cloud (SKLS_CLOUD) and SKLS_AZURE_AUDIENCE"
        case .missingRegistration: "az provider register --namespace Microsoft.Web"
        case .connection, .timedOut: "check the network, HTTPS_PROXY and NO_PROXY"
        case .throttled: "wait, then run this again"
        default: "run this again; Azure's support wants the ids in brackets"
        }
    }

    static let sendConsole =
        "no line of a container came within the last 7 days: a site's console is sent there by a diagnostic setting of the site, az monitor "
        + "diagnostic-settings create --name skls --resource SITE --workspace WORKSPACE --logs "
        + "'[{\"category\":\"AppServiceConsoleLogs\",\"enabled\":true}]', or for all sites of a group by a policy: "
        + "docs/observability.md"

    static func makeGroup(_ settings: AzureSettings) -> String {
        "correct SKLS_RESOURCE_GROUP, or: az group create --name \(settings.resourceGroup) --location \(settings.location)"
    }

    static func makePlan(_ settings: AzureSettings) -> String {
        "correct SKLS_PLAN, or: az functionapp plan create --name PLAN --resource-group \(settings.resourceGroup) "
            + "--location \(settings.location) --sku EP1 --is-linux"
    }
}
