import Crypto

// Tokens for managed identities: the instance metadata service of virtual machines (Microsoft Entra docs,
// how-to-use-vm-token, read 2026-02) and the identity endpoint of App Service (Azure docs, overview-managed-identity,
// REST endpoint reference, read 2026-02). Both serve clients on this machine; a container reaches neither, as its
// network has only its own loopback device.

extension World {
    /// Identities that clients on this machine may use besides the system-assigned one: those that were configured, and
    /// every user-assigned identity of the subscription. On Azure somebody has to assign them to the machine first.
    var assignedIdentities: [Principal] {
        settings.managedIdentities + identities.sorted { $0.key < $1.key }.map { principal(of: $0.value) }
    }

    func principal(of identity: UserAssignedIdentity) -> Principal {
        Principal(clientID: identity.clientID, objectID: identity.principalID, resourceID: id(of: identity))
    }

    mutating func answerMetadata(_ request: ControlRequest, at now: Instant) -> Reply {
        guard request.method == "GET" else { return Reply(status: 405) }
        switch request.path.lowercased() {
        case "/metadata/identity/oauth2/token": return metadataToken(request, at: now)
        case "/msi/token", "/msi/token/": return appServiceToken(request, at: now)
        default: return metadataError(404, "not_found", "The requested resource does not exist.")
        }
    }

    // MARK: Instance metadata

    /// Lifetimes are strings, and so is the time of expiry (as recorded by SDKs' tests; azure-sdk sources).
    private mutating func metadataToken(_ request: ControlRequest, at now: Instant) -> Reply {
        guard request.header("Metadata")?.lowercased() == "true", request.header("X-Forwarded-For") == nil else {
            return metadataError(400, "invalid_request", "Required metadata header not specified")
        }
        let query = URLText.pairs(request.query)
        func parameter(_ name: String) -> String? { query.first { $0.name.lowercased() == name }?.value }
        guard let version = parameter("api-version"), version >= "2018-02-01" else {
            return metadataError(400, "invalid_request", "Required query variable 'api-version' is missing or too old")
        }
        guard let resource = parameter("resource"), !resource.isEmpty else {
            return metadataError(400, "invalid_request", "Required query variable 'resource' is missing")
        }
        guard isKnown(audience: resource, request: request) else {
            return metadataError(
                400, "invalid_resource",
                "AADSTS500011: The resource principal named \(resource) was not found in the tenant named "
                    + "\(settings.tenantID).")
        }
        guard
            let principal = machineIdentity(
                client: parameter("client_id"), object: parameter("object_id") ?? parameter("principal_id"),
                resource: parameter("msi_res_id") ?? parameter("mi_res_id"))
        else { return metadataError(400, "invalid_request", "Identity not found") }
        let lifetime = WorldSettings.managedTokenLifetime
        return .json(
            200,
            [
                "access_token": .string(accessToken(for: principal, audience: resource, lifetime: lifetime, at: now)),
                "client_id": .string(principal.clientID), "expires_in": .string("\(lifetime.components.seconds)"),
                "expires_on": .string("\((now + lifetime).seconds)"),
                "ext_expires_in": .string("\(lifetime.components.seconds)"), "not_before": .string("\(now.seconds)"),
                "resource": .string(resource), "token_type": "Bearer",
            ])
    }

    private func metadataError(_ status: Int, _ error: String, _ text: String) -> Reply {
        .json(status, ["error": .string(error), "error_description": .string(text)])
    }

    /// The system-assigned identity where none is named, else the one that the name leads to.
    private func machineIdentity(client: String?, object: String?, resource: String?) -> Principal? {
        func isSame(_ left: String?, _ right: String) -> Bool { left?.lowercased() == right.lowercased() }
        let all = [machinePrincipal] + assignedIdentities
        if let client { return all.first { isSame($0.clientID, client) } }
        if let object { return all.first { isSame($0.objectID, object) } }
        if let resource { return all.first { isSame($0.resourceID, resource) } }
        return settings.hasMachineIdentity ? machinePrincipal : nil
    }

    // MARK: App Service

    private mutating func appServiceToken(_ request: ControlRequest, at now: Instant) -> Reply {
        let given = request.header("X-IDENTITY-HEADER") ?? ""
        guard SHA256.hash(data: Array(given.utf8)) == SHA256.hash(data: Array(settings.identityHeader.revealed.utf8))
        else { return appServiceError(401, "Unauthorized: the X-IDENTITY-HEADER is missing or wrong.") }
        let query = URLText.pairs(request.query)
        func parameter(_ name: String) -> String? { query.first { $0.name.lowercased() == name }?.value }
        guard parameter("api-version") == "2019-08-01" else {
            return appServiceError(400, "The api-version '\(parameter("api-version") ?? "")' is not supported.")
        }
        guard let resource = parameter("resource"), isKnown(audience: resource, request: request) else {
            return appServiceError(400, "The parameter 'resource' is missing, or names nothing in the tenant.")
        }
        guard
            let principal = machineIdentity(
                client: parameter("client_id"), object: parameter("principal_id") ?? parameter("object_id"),
                resource: parameter("mi_res_id"))
        else {
            return appServiceError(
                400,
                "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId.")
        }
        let lifetime = WorldSettings.managedTokenLifetime
        return .json(
            200,
            [
                "access_token": .string(accessToken(for: principal, audience: resource, lifetime: lifetime, at: now)),
                "expires_on": .string("\((now + lifetime).seconds)"), "resource": .string(resource),
                "token_type": "Bearer", "client_id": .string(principal.clientID),
            ])
    }

    /// The shape is Azure's (msal reads `statusCode` and `message`); the texts are guesses but for the missing identity's.
    private func appServiceError(_ status: Int, _ message: String) -> Reply {
        .json(status, ["statusCode": .number(status), "message": .string(message)])
    }
}
