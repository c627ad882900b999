// What clients ask before they ask for a token: where the endpoints are, and which keys sign. Paths and members as
// msal 1.x, azure-cli-core 2.x and go-azure-sdk read them (their sources, read 2026-11).

extension World {
    /// Everything of Entra ID below `/{tenant}/…`.
    mutating func answerLogin(_ request: ControlRequest, at now: Instant) -> Reply {
        var segments = request.path.split(separator: "/").map { URLText.decode($0) ?? "" }
        guard !segments.isEmpty else { return Reply(status: 404) }
        let tenant = segments.removeFirst()
        switch segments.map({ $0.lowercased() }) {
        case ["oauth2", "v2.0", "token"]: return answerToken(request, tenant: tenant, isFirstVersion: false, at: now)
        case ["oauth2", "token"]: return answerToken(request, tenant: tenant, isFirstVersion: true, at: now)
        case ["v2.0", ".well-known", "openid-configuration"]:
            return openIDConfiguration(request, tenant: tenant, version: "/v2.0", at: now)
        case [".well-known", "openid-configuration"]:
            return openIDConfiguration(request, tenant: tenant, version: "", at: now)
        case ["discovery", "v2.0", "keys"], ["discovery", "keys"]: return keys()
        case ["discovery", "instance"]: return instanceDiscovery(request)
        case let rest where rest.first == "userrealm": return userRealm(segments.last ?? "")
        default: return Reply(status: 404)
        }
    }

    private mutating func openIDConfiguration(
        _ request: ControlRequest, tenant: String, version: String, at now: Instant
    ) -> Reply {
        // `common` and `organizations` stand for any tenant: there is one.
        let isAny = ["common", "organizations"].contains(tenant.lowercased())
        guard isAny || isKnown(tenant: tenant) else { return unknownTenant(tenant, at: now) }
        let base = "\(request.baseURL)/\(isAny ? tenant : settings.tenantID)"
        let issuer =
            version.isEmpty
            ? "https://sts.windows.net/\(settings.tenantID)/"
            : "\(request.baseURL)/\(settings.tenantID)/v2.0"
        return .json(
            200,
            [
                "token_endpoint": .string("\(base)/oauth2\(version)/token"),
                "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
                "jwks_uri": .string("\(base)/discovery\(version)/keys"), "response_modes_supported": ["query"],
                "subject_types_supported": ["pairwise"], "id_token_signing_alg_values_supported": ["RS256"],
                "response_types_supported": ["code"],
                "scopes_supported": ["openid", "profile", "email", "offline_access"],
                "issuer": .string(issuer), "authorization_endpoint": .string("\(base)/oauth2\(version)/authorize"),
                "device_authorization_endpoint": .string("\(base)/oauth2\(version)/devicecode"),
                "tenant_region_scope": "NA", "cloud_instance_name": "microsoftonline.com",
                "cloud_graph_host_name": "graph.windows.net", "msgraph_host": "graph.microsoft.com",
            ])
    }

    private func keys() -> Reply {
        let key = settings.tokenKey
        return .json(
            200,
            [
                "keys": [
                    [
                        "kty": "RSA", "use": "sig", "kid": .string(key.id), "x5t": .string(key.id),
                        "n": .string(key.modulus), "e": .string(key.exponent),
                    ]
                ]
            ])
    }

    /// Which names are one cloud. The address that was asked is one of them: it is the whole cloud here.
    private func instanceDiscovery(_ request: ControlRequest) -> Reply {
        let host = String(request.baseURL.split(separator: "/").last ?? "")
        let query = URLText.pairs(request.query)
        let endpoint = query.first { $0.name == "authorization_endpoint" }?.value ?? ""
        let tenant = endpoint.split(separator: "/").dropFirst(2).first.map(String.init) ?? settings.tenantID
        return .json(
            200,
            [
                "tenant_discovery_endpoint": .string(
                    "\(request.baseURL)/\(tenant)/v2.0/.well-known/openid-configuration"),
                "api-version": "1.1",
                "metadata": [
                    [
                        "preferred_network": .string(host), "preferred_cache": .string(host),
                        "aliases": [.string(host)],
                    ],
                    [
                        "preferred_network": "login.microsoftonline.com", "preferred_cache": "login.windows.net",
                        "aliases": [
                            "login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net",
                        ],
                    ],
                ],
            ])
    }

    /// Every user is unknown: there are applications only.
    private func userRealm(_ user: String) -> Reply {
        .json(
            200,
            [
                "ver": "1.0", "account_type": "Unknown", "cloud_instance_name": "microsoftonline.com",
                "cloud_audience_urn": "urn:federation:MicrosoftOnline", "domain_name": .string(user),
            ])
    }

    // MARK: The cloud

    /// `GET /metadata/endpoints`, without a token. Version 2015-01-01 is an object of few members, as go-autorest reads
    /// it; 2019-05-01 and its successors are an array of clouds for `ARM_CLOUD_METADATA_URL`; from 2022-09-01 on it is
    /// the one cloud that was asked, for `az cloud register`.
    func answerCloudMetadata(_ request: ControlRequest) -> Reply {
        let version = URLText.pairs(request.query).first { $0.name.lowercased() == "api-version" }?.value ?? ""
        guard !version.isEmpty else {
            return AzureErrorBody.resourceManager(
                400, "MissingApiVersionParameter",
                "The api-version query parameter (?api-version=) is required for all requests.")
        }
        if version < "2018" {
            return .json(
                200,
                [
                    "galleryEndpoint": "https://gallery.azure.com/", "graphEndpoint": "https://graph.windows.net/",
                    "portalEndpoint": "https://portal.azure.com/",
                    "authentication": [
                        "loginEndpoint": .string(request.baseURL + "/"), "audiences": audiencesOfClouds,
                    ],
                ])
        }
        let cloud = cloud(at: request.baseURL)
        return .json(200, version < "2022" ? [cloud] : cloud)
    }

    private var audiencesOfClouds: JSON { ["https://management.core.windows.net/", "https://management.azure.com/"] }

    /// Members and their spelling as azure-cli-core's `_arm_to_cli_mapper` and go-azure-sdk's metadata client read them.
    /// What is simulated has the simulator's address, the rest that of the public cloud.
    private func cloud(at base: String) -> JSON {
        [
            "name": "AzureSimulator", "portal": "https://portal.azure.com",
            "authentication": [
                "loginEndpoint": .string(base), "audiences": audiencesOfClouds, "tenant": "common",
                "identityProvider": "AAD",
            ],
            "resourceManager": .string(base + "/"), "media": "https://rest.media.azure.net",
            "graph": "https://graph.windows.net/", "graphAudience": "https://graph.windows.net/",
            "batch": "https://batch.core.windows.net/", "gallery": "https://gallery.azure.com/",
            "sqlManagement": "https://management.core.windows.net:8443/",
            "activeDirectoryDataLake": "https://datalake.azure.net/",
            "vmImageAliasDoc": "https://azcliprod.blob.core.windows.net/cli/vm/aliases.json",
            "appInsightsResourceId": "https://api.applicationinsights.io",
            "appInsightsTelemetryChannelResourceId": .string(base + "/v2/track"),
            "attestationResourceId": "https://attest.azure.net", "logAnalyticsResourceId": .string(base),
            "microsoftGraphResourceId": "https://graph.microsoft.com/",
            "ossrdbmsResourceId": "https://ossrdbms-aad.database.windows.net",
            "synapseAnalyticsResourceId": "https://dev.azuresynapse.net",
            "appServiceResourceId": "https://appservice.azure.com",
            "suffixes": [
                "storage": "core.windows.net", "keyVaultDns": "vault.azure.net", "mhsmDns": "managedhsm.azure.net",
                "sqlServerHostname": "database.windows.net", "acrLoginServer": "azurecr.io",
                "mysqlServerEndpoint": "mysql.database.azure.com",
                "postgresqlServerEndpoint": "postgres.database.azure.com",
                "mariadbServerEndpoint": "mariadb.database.azure.com", "storageSyncEndpointSuffix": "afs.azure.net",
                "azureDataLakeStoreFileSystem": "azuredatalakestore.net",
                "azureDataLakeAnalyticsCatalogAndJob": "azuredatalakeanalytics.net",
                "synapseAnalytics": "dev.azuresynapse.net", "attestationEndpoint": "attest.azure.net",
            ],
        ]
    }
}
