/// By what this program proves itself to Azure: the environment variables of Azure's SDKs, and which of the credentials
/// that they describe may be asked. Nothing prints the secrets in it.
package struct CredentialSettings: Sendable {
    /// The credentials that may be asked, in order.
    package private(set) var kinds = CredentialKind.allCases
    /// What `AZURE_TOKEN_CREDENTIALS` said, if it left anything out.
    private var choice: String?
    private var tenantID: String?
    private var clientID: String?
    private var clientSecret: Secret?
    private var certificatePath: String?
    private var tokenFile: String?
    private var identityEndpoint: String?
    private var identityHeader: Secret?
    private var metadataHost: String?
    private var managedIdentity: ManagedIdentityID?
    /// Names of other kinds of managed identity endpoints that the platform offers.
    private var foreignPlatform: String?
    private var searchPath: String

    /// Adds what is wrong to `faults`. What is merely absent is no fault: another credential may serve, and which one
    /// does shows only when a token is asked for.
    package init(environment: [String: String], faults: inout [String]) {
        func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        tenantID = value("AZURE_TENANT_ID")
        clientID = value("AZURE_CLIENT_ID")
        clientSecret = value("AZURE_CLIENT_SECRET").map { Secret($0) }
        certificatePath = value("AZURE_CLIENT_CERTIFICATE_PATH")
        if certificatePath != nil, clientSecret == nil, value("AZURE_CLIENT_CERTIFICATE_PASSWORD") != nil {
            faults.append(
                "AZURE_CLIENT_CERTIFICATE_PASSWORD is set, but encrypted keys are not supported: write the key "
                    + "without a password")
        }
        tokenFile = value("AZURE_FEDERATED_TOKEN_FILE")
        identityEndpoint = value("IDENTITY_ENDPOINT")
        identityHeader = value("IDENTITY_HEADER").map { Secret($0) }
        metadataHost = value("AZURE_POD_IDENTITY_AUTHORITY_HOST")
        searchPath = value("PATH") ?? "/usr/local/bin:/usr/bin:/bin"
        if value("IDENTITY_SERVER_THUMBPRINT") != nil {
            foreignPlatform = "Service Fabric"
        } else if identityEndpoint != nil, identityHeader == nil, value("IMDS_ENDPOINT") != nil {
            foreignPlatform = "Azure Arc"
        } else if identityEndpoint == nil, value("MSI_ENDPOINT") != nil {
            foreignPlatform = "Cloud Shell or Azure Machine Learning"
        }
        for (name, text) in [
            ("IDENTITY_ENDPOINT", identityEndpoint), ("AZURE_POD_IDENTITY_AUTHORITY_HOST", metadataHost),
        ]
        where text.map({ (try? ServiceURL($0)) == nil }) ?? false {
            // The reason why it is none is the same for all.
            faults.append("\(name) is not an http or https address")
        }
        if let text = value("SKLS_MANAGED_IDENTITY") {
            managedIdentity = ManagedIdentityID(text)
            if managedIdentity == nil {
                faults.append(
                    "SKLS_MANAGED_IDENTITY is neither a client id nor the resource id of an identity: \(text)")
            }
        } else {
            managedIdentity = clientID.map { .clientID($0) }
        }
        if let text = value("AZURE_TOKEN_CREDENTIALS") { choose(text, &faults) }
    }

    private mutating func choose(_ text: String, _ faults: inout [String]) {
        switch text.lowercased() {
        case "prod": kinds = [.environment, .workloadIdentity, .managedIdentity]
        case "dev": kinds = [.azureCLI]
        case let name:
            guard let kind = CredentialKind.allCases.first(where: { $0.rawValue.lowercased() == name }) else {
                let names = CredentialKind.allCases.map(\.rawValue).joined(separator: ", ")
                faults.append("AZURE_TOKEN_CREDENTIALS is none of prod, dev, \(names): \(text)")
                return
            }
            kinds = [kind]
        }
        choice = text
        if kinds == [.environment], let problem = environmentProblem {
            faults.append("AZURE_TOKEN_CREDENTIALS is \(text), but \(problem)")
        }
    }

    /// - Parameter onUse: called once, when the first token was had.
    package func credential(
        environment: AzureEnvironment, transport: AzureTransport,
        onUse: @escaping @Sendable (CredentialReport) -> Void = { _ in }
    ) -> DefaultCredential {
        credential(authority: environment.authority, sending: transport, onUse: onUse)
    }

    func credential(
        authority: ServiceURL, sending transport: any Transport,
        onUse: @escaping @Sendable (CredentialReport) -> Void = { _ in }
    ) -> DefaultCredential {
        let excluded = CredentialKind.allCases.filter { !kinds.contains($0) }.map {
            CredentialReport.Line(kind: $0, state: .excluded("AZURE_TOKEN_CREDENTIALS is \(choice ?? "")"))
        }
        return DefaultCredential(
            kinds.map { candidate($0, authority, transport) }, excluded: excluded, onUse: onUse)
    }

    private func candidate(
        _ kind: CredentialKind, _ authority: ServiceURL, _ transport: any Transport
    ) -> any CredentialCandidate {
        switch kind {
        case .environment: environmentCandidate(authority, transport)
        case .workloadIdentity: workloadCandidate(authority, transport)
        case .managedIdentity: managedIdentityCandidate(transport)
        case .azureCLI: AzureCLICredential(searchPath: searchPath, tenant: tenantID, clock: transport.clock)
        }
    }

    /// Why the variables of a service principal do not make one, nil if they do.
    private var environmentProblem: String? {
        let absent = [("AZURE_TENANT_ID", tenantID), ("AZURE_CLIENT_ID", clientID)].filter { $0.1 == nil }.map(\.0)
        if !absent.isEmpty { return "\(absent.joined(separator: " and ")) \(absent.count > 1 ? "are" : "is") not set" }
        if clientSecret == nil, certificatePath == nil {
            return "neither AZURE_CLIENT_SECRET nor AZURE_CLIENT_CERTIFICATE_PATH is set"
        }
        return nil
    }

    private func environmentCandidate(
        _ authority: ServiceURL, _ transport: any Transport
    ) -> any CredentialCandidate {
        guard environmentProblem == nil, let tenantID, let clientID else {
            return UnavailableCandidate(kind: .environment, reason: environmentProblem ?? "")
        }
        if let clientSecret {
            return ConfiguredCandidate(
                kind: .environment,
                credential: ClientSecretCredential(
                    authority: authority, tenant: tenantID, clientID: clientID, secret: clientSecret,
                    transport: transport))
        }
        return ConfiguredCandidate(
            kind: .environment,
            credential: ClientCertificateCredential(
                authority: authority, tenant: tenantID, clientID: clientID, certificatePath: certificatePath ?? "",
                transport: transport))
    }

    private func workloadCandidate(
        _ authority: ServiceURL, _ transport: any Transport
    ) -> any CredentialCandidate {
        let variables = [
            ("AZURE_FEDERATED_TOKEN_FILE", tokenFile), ("AZURE_TENANT_ID", tenantID), ("AZURE_CLIENT_ID", clientID),
        ]
        guard let tokenFile, let tenantID, let clientID else {
            let absent = variables.filter { $0.1 == nil }.map(\.0)
            return UnavailableCandidate(
                kind: .workloadIdentity,
                reason: "\(absent.joined(separator: " and ")) \(absent.count > 1 ? "are" : "is") not set")
        }
        return WorkloadIdentityCredential(
            authority: authority, tenant: tenantID, clientID: clientID, tokenFile: tokenFile, transport: transport)
    }

    private func managedIdentityCandidate(_ transport: any Transport) -> any CredentialCandidate {
        if let foreignPlatform {
            return UnavailableCandidate(
                kind: .managedIdentity, reason: "the managed identity of \(foreignPlatform) is not supported")
        }
        if let identityEndpoint, let identityHeader {
            return AppServiceCredential(
                endpoint: identityEndpoint, header: identityHeader, identity: managedIdentity, transport: transport)
        }
        // A host that was named on purpose, or no other choice: there is nothing to be gained by a short look.
        let isProbed = metadataHost == nil && kinds != [.managedIdentity]
        return InstanceMetadataCredential(
            host: metadataHost, identity: managedIdentity, isProbed: isProbed, transport: transport)
    }
}

extension CredentialSettings: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { kinds.map(\.rawValue).joined(separator: ", ") }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: ["kinds": kinds]) }
}
