import NIOCore

/// The answer of an endpoint that issues tokens. Entra writes lifetimes as numbers, managed identity endpoints as
/// strings; App Service names the end instead, as seconds since 1970 or as a date (Azure docs, "How to use managed
/// identities for App Service", read 2026-11; the date was seen with its api-version 2017-09-01).
struct IssuedToken: Decodable {
    private enum Lifetime {
        case seconds(Int64)
        case until(unixSeconds: Int64)
    }

    private let token: String
    private let lifetime: Lifetime
    private let refreshSeconds: Int64?

    private enum CodingKeys: String, CodingKey {
        case token = "access_token"
        case lifetimeSeconds = "expires_in"
        case end = "expires_on"
        case refreshSeconds = "refresh_in"
    }

    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        let refused = DecodingError.dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: "no token"))
        token = try fields.decode(String.self, forKey: .token)
        // Sent in a header: what cannot stand in one is no token.
        guard !token.isEmpty, token.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else { throw refused }
        if let value = try fields.decodeIfPresent(JSONValue.self, forKey: .lifetimeSeconds) {
            guard let seconds = Self.integer(value), seconds >= 0 else { throw refused }
            lifetime = .seconds(seconds)
        } else {
            let value = try fields.decode(JSONValue.self, forKey: .end)
            guard let end = Self.integer(value) ?? value.string.flatMap(CivilTime.unixSeconds) else { throw refused }
            lifetime = .until(unixSeconds: end)
        }
        if let value = try fields.decodeIfPresent(JSONValue.self, forKey: .refreshSeconds) {
            guard let seconds = Self.integer(value), seconds >= 0 else { throw refused }
            refreshSeconds = seconds
        } else {
            refreshSeconds = nil
        }
    }

    private static func integer(_ value: JSONValue) -> Int64? {
        value.integer ?? value.string.flatMap { Int64($0) }
    }

    /// - Parameters:
    ///   - asked: when the request was sent. The lifetime counts from when the issuer wrote it; taking the time before
    ///     asking errs on the safe side.
    ///   - unixSeconds: the wall clock, used only for answers that name the end.
    ///   - refreshesAtHalfLife: for issuers that never say when to refresh.
    func accessToken(
        since asked: ContinuousClock.Instant, unixSeconds: Int64, refreshesAtHalfLife: Bool = false
    ) -> AccessToken {
        AccessToken.expiring(
            Secret(token), in: seconds(unixSeconds), since: asked,
            refreshSeconds: refreshSeconds, refreshesAtHalfLife: refreshesAtHalfLife)
    }

    private func seconds(_ unixSeconds: Int64) -> Int64 {
        switch lifetime {
        case .seconds(let seconds): seconds
        case .until(let end): end.subtractingReportingOverflow(unixSeconds).partialValue
        }
    }

    /// Reads a successful reply.
    /// - Throws: `malformedReply` if it holds no token.
    static func read(
        _ reply: AzureReply, to request: AzureRequest, since asked: ContinuousClock.Instant, clock: AzureClock,
        refreshesAtHalfLife: Bool = false
    ) throws(AzureError) -> AccessToken {
        do {
            return try JSONValue(parsing: reply.body.readableBytesView).decoded(as: IssuedToken.self)
                .accessToken(
                    since: asked, unixSeconds: clock.unixSeconds(), refreshesAtHalfLife: refreshesAtHalfLife)
        } catch {
            throw AzureError(unusable: reply, to: request, message: "the token endpoint's answer holds no token")
        }
    }
}

extension AccessToken {
    /// A day is the longest lifetime that is believed; a longer claim is cut, one that is over counts as none.
    private static let mostSeconds: Int64 = 86_400

    static func expiring(
        _ secret: Secret, in seconds: Int64, since asked: ContinuousClock.Instant, refreshSeconds: Int64? = nil,
        refreshesAtHalfLife: Bool = false
    ) -> AccessToken {
        let lifetime = min(max(seconds, 0), mostSeconds)
        // Managed identities: half of a life above two hours (MSAL, managed identity, read 2026-02).
        let halfLife = refreshesAtHalfLife && lifetime > 7200 ? lifetime / 2 : nil
        let refresh = refreshSeconds.map { min($0, mostSeconds) } ?? halfLife
        return AccessToken(
            secret: secret, expiresAt: asked.advanced(by: .seconds(lifetime)),
            refreshAt: refresh.map { asked.advanced(by: .seconds($0)) })
    }
}
