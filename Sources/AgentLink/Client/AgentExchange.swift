import AgentProtocol
import AsyncHTTPClient
import Logging
import NIOCore
import NIOHTTP1

/// One signed request and its proved reply: everything that all requests have in common.
struct AgentExchange: Sendable {
    let httpClient: HTTPClient
    let logger: Logger
    let clock: any Clock<Duration>

    struct Reply: Sendable {
        let status: Int
        let boot: BootID
        let headers: HTTPHeaders
        let body: ByteBuffer

        /// A header's value, for ``RunReport``.
        func header(_ name: String) -> String? { headers.first(name: name) }
    }

    /// Sends a request and gives back the reply once it is proved to be the agent's, unchanged, to this request.
    ///
    /// - Parameters:
    ///   - path: with query.
    ///   - boot: the boot id that must hold for the request to be carried out; nil for hello.
    ///   - timeout: for the whole exchange, from looking for a connection to the last byte.
    /// - Throws: `unreachable`, `timedOut`, `cancelled`, `notReady`, `notProved`, `bootChanged`, `invalidReply`.
    func send(
        _ method: HTTPMethod, _ path: String, endpoint: AgentEndpoint, boot: BootID?, body: ByteBuffer = ByteBuffer(),
        timeout: Duration
    ) async throws(AgentError) -> Reply {
        let operation = "\(method.rawValue) \(path)"
        let nonce = RequestSignature.freshNonce()
        let signature = body.withUnsafeReadableBytes {
            RequestSignature(
                secret: endpoint.secret, method: method.rawValue, path: path, boot: boot, nonce: nonce, body: $0)
        }
        var request = HTTPClientRequest(url: endpoint.baseURL + path)
        request.method = method
        // AsyncHTTPClient adds a Host header only where there is none (RequestValidation.swift, 1.37).
        if let host = endpoint.hostHeader { request.headers.add(name: "host", value: host) }
        request.headers.add(name: AgentHeader.nonce, value: nonce)
        request.headers.add(name: AgentHeader.boot, value: boot?.hex ?? "")
        request.headers.add(name: AgentHeader.signature, value: signature.hex)
        if body.readableBytes > 0 { request.body = .bytes(body) }

        let (status, headers, replyBody) = try await transfer(request, operation: operation, timeout: timeout)
        let reply = try Self.prove(
            status: status, headers: headers, body: replyBody, endpoint: endpoint, signature: signature,
            operation: operation)
        if let boot, reply.boot != boot { throw AgentError(.bootChanged(reply.boot), operation: operation) }
        return reply
    }

    /// The exchange itself. The client's own deadline ends with the reply's head, so the body is raced as well.
    private func transfer(
        _ request: HTTPClientRequest, operation: String, timeout: Duration
    ) async throws(AgentError) -> (Int, HTTPHeaders, ByteBuffer) {
        do {
            return try await withThrowingTaskGroup { group in
                group.addTask {
                    let response = try await httpClient.execute(request, deadline: .distantFuture, logger: logger)
                    // An agent's reply is never longer. A front end's page may be; it is dropped for want of a proof.
                    let limit = AgentLimit.replyBodyBytes
                    let body = try await response.body.collect(upTo: limit)
                    return (Int(response.status.code), response.headers, body)
                }
                group.addTask {
                    try await clock.sleep(for: timeout)
                    throw TimedOut()
                }
                defer { group.cancelAll() }
                guard let first = try await group.next() else { throw TimedOut() }
                return first
            }
        } catch {
            throw AgentError(Self.code(of: error), operation: operation, cause: error)
        }
    }

    private struct TimedOut: Error, CustomStringConvertible {
        var description: String { "no whole reply in time" }
    }

    /// Whatever the client throws, in our words.
    private static func code(of error: any Error) -> AgentError.Code {
        if Task.isCancelled || error is CancellationError { return .cancelled }
        switch error {
        case is TimedOut: return .timedOut
        case is NIOTooManyBytesError: return .invalidReply("the body is longer than 1 MiB")
        case let error as HTTPClientError:
            switch error {
            case .cancelled: return .cancelled
            case .invalidURL, .emptyHost, .emptyScheme, .missingSocketPath:
                return .invalidRequest("the site's address is no URL")
            default: return .unreachable
            }
        default: return .unreachable
        }
    }

    /// - Throws: `notReady` without a proof, `notProved` with a wrong one.
    static func prove(
        status: Int, headers: HTTPHeaders, body: ByteBuffer, endpoint: AgentEndpoint, signature: RequestSignature,
        operation: String
    ) throws(AgentError) -> Reply {
        guard let proof = headers.first(name: AgentHeader.proof) else {
            throw AgentError(.notReady(httpStatus: status), operation: operation)
        }
        guard let boot = headers.first(name: AgentHeader.boot).flatMap(BootID.init) else {
            throw AgentError(.notProved, operation: operation)
        }
        var covered: [(name: String, value: String)] = []
        for (name, value) in headers {
            let name = name.lowercased()
            guard name.hasPrefix(AgentHeader.prefix), name != AgentHeader.proof, name != AgentHeader.boot else {
                continue
            }
            covered.append((name, value))
        }
        let isProved = body.withUnsafeReadableBytes {
            ReplyProof.verify(
                proof, secret: endpoint.secret, signature: signature, status: status, boot: boot, headers: covered,
                body: $0)
        }
        guard isProved else { throw AgentError(.notProved, operation: operation) }
        return Reply(status: status, boot: boot, headers: headers, body: body)
    }
}
