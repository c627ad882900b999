package import NIOCore
package import NIOHTTP1

/// One request on the wire and what has to be known to report on it.
package struct AzureRequest: Sendable {
    /// What a body larger than the bound means.
    package enum BodyBound: Sendable {
        /// The reply is malformed.
        case refuse(aboveBytes: Int)
        /// The reply is a log: only its end is kept.
        case keepLast(bytes: Int)
    }

    /// Azure Resource Manager turns replies above 8 MB into errors (azure-resource-manager-rpc v1.0, read 2026-02);
    /// twice that leaves room for other services.
    package static let standardBodyBytes = 16 << 20

    package var operation: AzureOperation
    /// For errors and logs; never holds a query.
    package var resource: String
    package var method: HTTPMethod = .GET
    /// Absolute and escaped.
    package var url: String
    package var headers: HTTPHeaders = [:]
    package var body: ByteBuffer?
    /// Whether it is for the platform around this machine, which no proxy can ask in our place.
    package var bypassesProxy = false
    /// Whether a lost answer leaves an effect in doubt.
    package var isWrite = false
    package var correlationID: CorrelationID
    /// The bound on the whole exchange, connection and body included.
    package var timeout: Duration
    package var bodyBound = BodyBound.refuse(aboveBytes: standardBodyBytes)
    package var priority = RequestPriority.current
    /// What has to be blanked if a reply echoes it.
    package var secrets: [Secret] = []
    /// What the token has to be good for; nil for Azure Resource Manager.
    package var tokenScope: TokenScope?
}

/// A reply of any status.
package struct AzureReply: Sendable {
    package var status: Int
    package var headers: HTTPHeaders = [:]
    package var body = ByteBuffer()
    /// The client's own id of the call.
    package var requestID: GUID

    package init(status: Int, headers: HTTPHeaders = [:], body: ByteBuffer = ByteBuffer(), requestID: GUID) {
        self.status = status
        self.headers = headers
        self.body = body
        self.requestID = requestID
    }

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

/// Sends one request once. Production is ``AzureTransport``; tests script it, simulations bring a world of their own.
package protocol Transport: Sendable {
    /// The reply, whatever its status.
    /// - Throws: only for what kept a reply from arriving.
    func send(_ request: AzureRequest, bearer: AccessToken?) async throws(AzureError) -> AzureReply

    /// The clock by which replies are judged.
    var clock: AzureClock { get }
}
