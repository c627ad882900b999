import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Why no reply arrived, and whether the request can have reached the server.
///
/// The second matters for writes: a failure before anything was written leaves no doubt. Where the HTTP client does
/// not tell, the answer is "it can have". Read in AsyncHTTPClient 1.37.0: with `retryConnectionEstablishment` off a
/// failed connection attempt fails its requests with the attempt's own error; a deadline or a closed connection is
/// reported alike whether the request had been written or not.
struct TransportFailure: Error, Sendable, Equatable {
    var code: AzureError.Code
    var message: String
    /// Whether the server can have got the request.
    var wasPossiblySent: Bool

    static let timedOut = TransportFailure(code: .timedOut, message: "no answer in time", wasPossiblySent: true)
    static func tooLarge(bytes: Int) -> TransportFailure {
        TransportFailure(code: .malformedReply, message: "the answer exceeds \(bytes) bytes", wasPossiblySent: true)
    }

    init(code: AzureError.Code, message: String, wasPossiblySent: Bool) {
        self.code = code
        self.message = message
        self.wasPossiblySent = wasPossiblySent
    }

    init(_ error: any Error) {
        switch error {
        case let failure as TransportFailure: self = failure
        case is CancellationError: self.init(code: .cancelled, message: "cancelled", wasPossiblySent: true)
        case let error as HTTPClientError: self.init(error)
        case let error as NIOConnectionError:
            self.init(
                code: .connection, message: "cannot connect to \(error.host):\(error.port): \(Self.reason(error))",
                wasPossiblySent: false)
        case let error as IOError:
            self.init(
                code: .connection, message: "connection failed: \(error.description)",
                wasPossiblySent: !Self.connectOnly.contains(error.errnoCode))
        case NIOSSLError.handshakeFailed(let cause):
            self.init(
                code: .connection,
                message: "no TLS connection (behind a private authority SKLS_CA_FILE names its certificate): \(cause)",
                wasPossiblySent: false)
        case let error as NIOSSLExtraError:
            self.init(code: .connection, message: "no TLS connection: \(error)", wasPossiblySent: false)
        case ChannelError.connectTimeout:
            self.init(code: .timedOut, message: "cannot connect in time", wasPossiblySent: false)
        case HTTPParserError.invalidEOFState:
            self.init(code: .connection, message: "the answer ends early", wasPossiblySent: true)
        case is HTTPParserError:
            self.init(code: .malformedReply, message: "the answer is not HTTP/1.1", wasPossiblySent: true)
        default: self.init(code: .connection, message: "connection failed: \(error)", wasPossiblySent: true)
        }
    }

    /// These come from connecting only, never from an established connection.
    private static let connectOnly: Set<CInt> = [ECONNREFUSED, EADDRNOTAVAIL, ENOENT]

    private init(_ error: HTTPClientError) {
        let text = error.shortDescription
        switch error {
        case .cancelled: self.init(code: .connection, message: "the HTTP client is closing", wasPossiblySent: true)
        case .deadlineExceeded, .readTimeout, .writeTimeout: self = .timedOut
        case .connectTimeout, .socksHandshakeTimeout, .httpProxyHandshakeTimeout, .tlsHandshakeTimeout,
            .getConnectionFromPoolTimeout:
            self.init(code: .timedOut, message: "cannot connect in time: \(text)", wasPossiblySent: false)
        case .alreadyShutdown, .invalidProxyResponse, .proxyAuthenticationRequired:
            self.init(code: .connection, message: text, wasPossiblySent: false)
        case .invalidURL, .emptyHost, .emptyScheme, .missingSocketPath:
            self.init(code: .invalid, message: text, wasPossiblySent: false)
        default: self.init(code: .connection, message: text, wasPossiblySent: true)
        }
    }

    /// The first cause: a name that does not resolve, or the first address that did not answer.
    private static func reason(_ error: NIOConnectionError) -> String {
        if let attempt = error.connectionErrors.first { return "\(attempt.error)" }
        return (error.dnsAError ?? error.dnsAAAAError).map { "\($0)" } ?? "no address"
    }
}
