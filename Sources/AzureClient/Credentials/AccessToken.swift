/// A bearer token and how long it may be used, measured on the clock the transport was given.
package struct AccessToken: Sendable, Hashable {
    package let secret: Secret
    package let expiresAt: ContinuousClock.Instant
    /// From here on a new token is fetched in the background while this one is still used (Entra's `refresh_in`).
    package let refreshAt: ContinuousClock.Instant?

    package init(secret: Secret, expiresAt: ContinuousClock.Instant, refreshAt: ContinuousClock.Instant?) {
        self.secret = secret
        self.expiresAt = expiresAt
        self.refreshAt = refreshAt
    }
}

/// What a token is good for: the audience of one service followed by `/.default`.
package struct TokenScope: RawRepresentable, Sendable, Hashable {
    package let rawValue: String

    package init(rawValue: String) {
        self.rawValue = rawValue
    }

    /// - Parameter audience: the service's identifier, with or without a slash at its end.
    package init(audience: String) {
        self.init(rawValue: audience.hasSuffix("/") ? "\(audience).default" : "\(audience)/.default")
    }

    /// The audience alone, which managed identity endpoints call the resource.
    var resource: String {
        rawValue.hasSuffix("/.default") ? String(rawValue.dropLast("/.default".count)) : rawValue
    }
}

/// A way to get tokens. It fetches a new one on every call; ``TokenCache`` is what keeps them.
package protocol TokenCredential: Sendable {
    /// A token fresh from its issuer.
    /// - Parameter claims: what a service demanded of the token when it refused the last one.
    /// - Throws: `unauthorized` if the issuer refuses the identity, or any failure of the call.
    func token(
        _ scope: TokenScope, claims: ClaimsChallenge?, correlationID: CorrelationID
    ) async throws(AzureError) -> AccessToken
}

extension TokenCredential {
    /// A token of which no service demanded anything yet.
    package func token(_ scope: TokenScope, correlationID: CorrelationID) async throws(AzureError) -> AccessToken {
        try await token(scope, claims: nil, correlationID: correlationID)
    }
}
