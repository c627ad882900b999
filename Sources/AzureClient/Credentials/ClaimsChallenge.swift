import FoundationEssentials
import NIOHTTP1

/// What a service demands of the next token: a JSON object that the issuer understands and a client passes on as it
/// is (Microsoft identity platform docs, "Claims challenges, claims requests, and client capabilities", read 2026-11).
package struct ClaimsChallenge: Sendable, Hashable {
    /// Bounds what a service can make us send.
    static let mostBytes = 8 << 10

    let demands: [String: JSONValue]

    /// Nil unless the text is a JSON object of at most 8 KiB.
    init?(json bytes: [UInt8]) {
        guard bytes.count <= Self.mostBytes,
            // What is no JSON is no challenge; why it is none changes nothing.
            let value = try? JSONValue(parsing: bytes), let object = value.object
        else { return nil }
        demands = object
    }

    /// The `claims` field of a token request: the challenge, and that this client can answer one (`cp1`), by which
    /// Entra may revoke the token before its end (continuous access evaluation).
    static func requestField(answering challenge: ClaimsChallenge?) -> String {
        var claims = challenge?.demands ?? [:]
        var token = claims["access_token"]?.object ?? [:]
        token["xms_cc"] = .object(["values": .array([.string("cp1")])])
        claims["access_token"] = .object(token)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return String(decoding: try encoder.encode(JSONValue.object(claims)), as: UTF8.self)
        } catch {
            // Only numbers that are none cannot be written, and JSON has none; without the demands the issuer refuses.
            return #"{"access_token":{"xms_cc":{"values":["cp1"]}}}"#
        }
    }
}

extension AzureReply {
    /// What a 401 demands of the next token, nil where it demands nothing or is not understood: a challenge with the
    /// error `insufficient_claims` and its claims in base 64.
    var claimsChallenge: ClaimsChallenge? {
        for header in headers["www-authenticate"] {
            for challenge in AuthenticationChallenge.parse(header) ?? [] where challenge.scheme == "bearer" {
                guard challenge.parameters["error"] == "insufficient_claims",
                    let claims = challenge.parameters["claims"].flatMap({ Base64.decoded($0) })
                else { continue }
                return ClaimsChallenge(json: claims)
            }
        }
        return nil
    }
}
