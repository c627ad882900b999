import APIServer
import AzureClient

extension AzureSettings {
    /// With what only Azure can tell: the GUID of a workspace that was given by its resource id, and the key of a storage account without an identity.
    /// Asks nothing when there is nothing of that kind. Throws all that could not be had.
    func resolved(by connection: AzureConnection) async throws(ConfigurationFaults) -> AzureSettings {
        var settings = self
        var faults: [String] = []
        do throws(AzureError) {
            if let text = logWorkspace, let id = AzureSettings.workspaceResource(text) {
                let guid = try await connection.client.workspaceID(of: id, correlationID: AzureSettings.correlation)
                if guid == nil { faults.append("SKLS_LOG_WORKSPACE: there is no workspace \(text)") }
                settings.logWorkspace = guid?.description
            }
        } catch {
            faults.append("SKLS_LOG_WORKSPACE: the workspace cannot be read: \(error)")
        }
        do throws(AzureError) {
            if let account = sites.keylessAccount {
                let keys = try await connection.client.storageAccountKeys(
                    account, correlationID: AzureSettings.correlation)
                if let key = keys.first(where: { $0.permissions?.lowercased() != "read" }) {
                    settings.sites.useKey(key.value, of: account, suffix: connection.environment.storageSuffix)
                } else {
                    faults.append("SKLS_STORAGE_ACCOUNT: \(account) has no key that writes; set SKLS_IDENTITY")
                }
            }
        } catch {
            faults.append(
                "SKLS_STORAGE_ACCOUNT: the account's key cannot be read, and no SKLS_IDENTITY reaches it: \(error)")
        }
        guard faults.isEmpty else { throw ConfigurationFaults(faults: faults) }
        return settings
    }

    private static var correlation: CorrelationID { CorrelationID(AzureTransport.randomID()) }

    /// For callers of the internal API; nothing secret.
    var provider: ProviderFacts {
        var resources = [
            "subscription": subscriptionID, "resource_group": resourceGroup, "app_service_plan": plan,
            "log_analytics_workspace": logWorkspace, "registry": registry,
        ]
        resources["credentials"] = credentials.description
        return ProviderFacts(
            region: location, endpoint: resourceManager, resources: resources.compactMapValues(\.self))
    }
}
