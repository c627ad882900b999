/// What an access token of Entra says about itself, for an operator to read. Nothing is decided by it: a client has to
/// take tokens as opaque (Microsoft identity platform docs, "Access tokens", read 2026-02).
package struct TokenFacts: Sendable, Hashable {
    package let tenantID: String?
    /// The principal that roles are assigned to.
    package let objectID: String?
    package let applicationID: String?
    package let audience: String?
    /// Seconds since 1970.
    package let expiry: Int64?

    /// Nil if the token is no JSON Web Token. Nothing of it is kept but these fields, made fit to be printed.
    package init?(_ token: AccessToken) {
        let parts = token.secret.reveal().split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, let payload = Base64.decoded(parts[1]),
            // Why it is no JSON makes no difference.
            let claims = try? JSONValue(parsing: payload), claims.object != nil
        else { return nil }
        func text(_ name: String) -> String? {
            claims[name]?.string.map { SafeText.escaped($0, limit: 128) }
        }
        tenantID = text("tid")
        objectID = text("oid")
        applicationID = text("appid") ?? text("azp")
        audience = text("aud")
        expiry = claims["exp"]?.integer
    }
}
