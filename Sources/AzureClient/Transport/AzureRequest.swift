import NIOCore
import NIOHTTP1

/// One request on the wire and what has to be known to report on it.
struct AzureRequest: Sendable {
    /// What a body larger than the bound means.
    enum BodyBound: Sendable {
        /// The reply is malformed.
        case refuse(aboveBytes: Int)
        /// The reply is a log: only its end is kept.
        case keepLast(bytes: Int)
    }

    /// Azure Resource Manager turns replies above 8 MB into errors (azure-resource-manager-rpc v1.0, read 2026-02);
    /// twice that leaves room for other services.
    static let standardBodyBytes = 16 << 20

    var operation: AzureOperation
    /// For errors and logs; never holds a query.
    var resource: String
    var method: HTTPMethod = .GET
    /// Absolute and escaped.
    var url: String
    var headers: HTTPHeaders = [:]
    var body: ByteBuffer?
    /// Whether it is for the platform around this machine, which no proxy can ask in our place.
    var bypassesProxy = false
    /// Whether a lost answer leaves an effect in doubt.
    var isWrite = false
    var correlationID: CorrelationID
    /// The bound on the whole exchange, connection and body included.
    var timeout: Duration
    var bodyBound = BodyBound.refuse(aboveBytes: standardBodyBytes)
    var priority = RequestPriority.current
    /// What has to be blanked if a reply echoes it.
    var secrets: [Secret] = []
    /// What the token has to be good for; nil for Azure Resource Manager.
    var tokenScope: TokenScope?
}

/// A reply of any status.
struct AzureReply: Sendable {
    var status: Int
    var headers: HTTPHeaders = [:]
    var body = ByteBuffer()
    /// The client's own id of the call.
    var requestID: GUID

    var isSuccess: Bool { (200..<300).contains(status) }

    /// What Azure says is left of its quotas, by the name behind `x-ms-ratelimit-remaining-`.
    /// (Azure docs, "Understand how Azure Resource Manager throttles requests", read 2026-02.)
    var remaining: [(name: String, count: Int)] {
        headers.compactMap { name, value in
            let prefix = "x-ms-ratelimit-remaining-"
            guard name.lowercased().hasPrefix(prefix), let count = Int(value) else { return nil }
            return (String(name.lowercased().dropFirst(prefix.count)), count)
        }
    }
}

/// Sends one request once. Production is ``AzureTransport``; tests script it.
protocol Transport: Sendable {
    /// The reply, whatever its status.
    /// - Throws: only for what kept a reply from arriving.
    func send(_ request: AzureRequest, bearer: AccessToken?) async throws(AzureError) -> AzureReply

    /// The clock by which replies are judged.
    var clock: AzureClock { get }
}
