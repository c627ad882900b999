import AsyncHTTPClient
package import Logging
import NIOCore
import NIOHTTP1

/// Sends requests over HTTP/1.1: adds the headers every call has, bounds time and size, and writes one line per call
/// to the log. Never repeats a call; whether to do so is the controller's decision.
package struct AzureTransport: Transport {
    private let clients: HTTPClients
    package let clock: AzureClock
    private let makeRequestID: @Sendable () -> GUID
    private let userAgent: String
    private let logger: Logger

    /// - Parameters:
    ///   - clients: the caller shuts them down after the last call.
    ///   - makeRequestID: draws a fresh id for each call.
    package init(
        clients: HTTPClients, clock: AzureClock = .system,
        makeRequestID: @escaping @Sendable () -> GUID = Self.randomID,
        userAgent: String, logger: Logger
    ) {
        self.clients = clients
        self.clock = clock
        self.makeRequestID = makeRequestID
        self.userAgent = userAgent
        self.logger = logger
    }

    /// A random id from the system's generator.
    @Sendable package static func randomID() -> GUID {
        var generator = SystemRandomNumberGenerator()
        return GUID.random(using: &generator)
    }

    package func send(_ request: AzureRequest, bearer: AccessToken?) async throws(AzureError) -> AzureReply {
        let requestID = makeRequestID()
        let started = clock.now()
        let result = await exchange(prepared(request, bearer: bearer, requestID: requestID), request, requestID)
        log(request, requestID: requestID, result: result, duration: clock.now() - started)
        switch result {
        case .success(let reply): return reply
        case .failure(let failure):
            throw AzureError(
                code: failure.code, operation: request.operation, resource: request.resource,
                message: SafeText.blanked(failure.message, secrets: request.secrets),
                correlationID: request.correlationID.description, requestID: requestID.description,
                effectIsUnknown: request.isWrite && failure.wasPossiblySent)
        }
    }

    private func prepared(_ request: AzureRequest, bearer: AccessToken?, requestID: GUID) -> HTTPClientRequest {
        var prepared = HTTPClientRequest(url: request.url)
        prepared.method = request.method
        prepared.headers = request.headers
        prepared.headers.replaceOrAdd(name: "user-agent", value: userAgent)
        prepared.headers.replaceOrAdd(name: "x-ms-client-request-id", value: requestID.description)
        prepared.headers.replaceOrAdd(name: "x-ms-return-client-request-id", value: "true")
        prepared.headers.replaceOrAdd(
            name: "x-ms-correlation-request-id", value: request.correlationID.description)
        if let bearer {
            prepared.headers.replaceOrAdd(name: "authorization", value: "Bearer \(bearer.secret.reveal())")
        }
        if let body = request.body { prepared.body = .bytes(body) }
        return prepared
    }

    /// The exchange, against the call's time limit. The HTTP client's own deadline ends with the reply's head, so a
    /// second task watches over the body as well; whichever ends first cancels the other.
    private func exchange(
        _ prepared: HTTPClientRequest, _ request: AzureRequest, _ requestID: GUID
    ) async -> Result<AzureReply, TransportFailure> {
        await withTaskGroup(of: Result<AzureReply, TransportFailure>?.self) { group in
            group.addTask {
                do {
                    let response = try await clients.client(for: request).execute(
                        prepared, deadline: .distantFuture)
                    let body = try await Self.collect(response.body, bound: request.bodyBound)
                    return .success(
                        AzureReply(
                            status: Int(response.status.code), headers: response.headers, body: body,
                            requestID: requestID))
                } catch {
                    return .failure(TransportFailure(error))
                }
            }
            group.addTask {
                do {
                    try await ContinuousClock().sleep(for: request.timeout)
                    return .failure(.timedOut)
                } catch {
                    return nil  // Cancelled: the exchange says how it ended.
                }
            }
            for await result in group {
                guard let result else { continue }
                group.cancelAll()
                return result
            }
            return .failure(.timedOut)
        }
    }

    private static func collect(
        _ body: HTTPClientResponse.Body, bound: AzureRequest.BodyBound
    ) async throws -> ByteBuffer {
        var collected = ByteBuffer()
        for try await part in body {
            collected.writeImmutableBuffer(part)
            switch bound {
            case .refuse(let limit):
                guard collected.readableBytes <= limit else { throw TransportFailure.tooLarge(bytes: limit) }
            case .keepLast(let limit):
                guard collected.readableBytes > 2 * limit else { continue }
                collected.moveReaderIndex(forwardBy: collected.readableBytes - limit)
                collected.discardReadBytes()
            }
        }
        if case .keepLast(let limit) = bound, collected.readableBytes > limit {
            collected.moveReaderIndex(forwardBy: collected.readableBytes - limit)
        }
        return collected
    }

    /// One line per call; headers and bodies are never logged, queries neither.
    private func log(
        _ request: AzureRequest, requestID: GUID, result: Result<AzureReply, TransportFailure>, duration: Duration
    ) {
        guard logger.logLevel <= .debug else { return }
        var status: String?
        var failure: String?
        var remaining: String?
        switch result {
        case .success(let reply):
            status = String(reply.status)
            remaining = SafeText.escaped(
                reply.remaining.map { "\($0.name)=\($0.count)" }.joined(separator: " "), limit: 256)
        case .failure(let cause): failure = cause.code.rawValue
        }
        let milliseconds = duration.components.seconds * 1000 + duration.components.attoseconds / 1_000_000_000_000_000
        logger.debug(
            "Azure call",
            metadata: .init([
                (.operation, request.operation.rawValue), (.resource, SafeText.escaped(request.resource, limit: 512)),
                (.method, request.method.rawValue), (.status, status), (.failure, failure),
                (.durationMilliseconds, String(milliseconds)),
                (.correlationID, request.correlationID.description), (.requestID, requestID.description),
                (.remaining, remaining),
            ]))
    }
}
