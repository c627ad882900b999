import DesiredState
import HTTPTypes
import HummingbirdCore
import Logging
import NIOConcurrencyHelpers

/// What is logged of one request: a line when it is over. Queries and headers stay out of it, since both carry secrets.
final class RequestLog: Sendable {
    /// Of the request that the running task answers.
    @TaskLocal static var current: RequestLog?

    /// The client's own, or one that is made here; told back in the answer.
    let id: String
    private let method: HTTPRequest.Method
    private let path: String
    private let began: Instant
    private let beganAt = ContinuousClock.now
    private let record = NIOLockedValueBox<UID?>(nil)

    init(_ request: HTTPRequest, at began: Instant, using generator: inout some RandomNumberGenerator) {
        self.began = began
        id = request.headerFields[.requestID].flatMap { RequestLog.usable($0) } ?? RequestLog.fresh(&generator)
        method = request.method
        path = RequestLog.safe((request.path ?? "/").prefix { $0 != "?" })
    }

    /// The record that the request is about, the first one that counts: `skls explain` and the log of the controller go on from there.
    static func note(_ uid: UID) {
        current?.record.withLockedValue { $0 = $0 ?? uid }
    }

    /// Bound of correlation ids in one line; `skls explain` shows all.
    private static let maximumCorrelations = 8
    /// What monitors ask every few seconds; told at `debug`.
    private static let frequentPaths: Set = ["/_ping", "/healthz", "/readyz", "/metrics", "/internal/v1/healthz"]

    /// Logs the line, once the response was written or could not be: method, path, status, duration, an id of the request, the record's key, and the
    /// correlation ids of the calls to Azure that were made for the record meanwhile. Failures of ours are warnings.
    func write(status: HTTPResponse.Status, _ backend: Backend) async {
        let level: Logger.Level =
            if status.code >= 500 && status != .notImplemented {
                .warning
            } else if RequestLog.frequentPaths.contains(path), status == .ok {
                .debug
            } else {
                .info
            }
        guard backend.logger.logLevel <= level else { return }
        let elapsed = ContinuousClock.now - beganAt
        var metadata: Logger.Metadata = [
            LogKey.method.rawValue: "\(method)", LogKey.path.rawValue: "\(path)",
            LogKey.status.rawValue: "\(status.code)", LogKey.requestID.rawValue: "\(id)",
            LogKey.duration.rawValue: "\(elapsed.wholeNanoseconds / 1_000_000)",
        ]
        if let uid = record.withLockedValue({ $0 }) {
            metadata[LogKey.key.rawValue] = "\(uid.short)"
            // Reading causes no calls.
            let ids = [.get, .head].contains(method) ? [] : await correlations(of: uid, backend)
            if !ids.isEmpty { metadata[LogKey.correlationID.rawValue] = .array(ids.map { .string($0) }) }
        }
        backend.logger.log(level: level, "request", metadata: metadata)
    }

    private func correlations(of uid: UID, _ backend: Backend) async -> [String] {
        // A journal that cannot be read costs the line its ids only.
        guard let explainer = backend.explainer,
            let journal = try? await explainer.journal(of: uid, limit: JournalEntry.maximumPerRecord)
        else { return [] }
        var ids: [String] = []
        for entry in journal where entry.at >= began {
            if let id = entry.correlationID, !ids.contains(id) { ids.append(id) }
        }
        return Array(ids.suffix(RequestLog.maximumCorrelations))
    }

    /// Bound of what is quoted from a request.
    private static let maximumLength = 256

    /// Printable ASCII, shortened: what clients send could break or forge lines of a log.
    static func safe(_ text: some StringProtocol) -> String {
        let bytes = text.utf8.prefix(maximumLength).map { (0x21...0x7e).contains($0) ? $0 : UInt8(ascii: "?") }
        return String(decoding: bytes, as: UTF8.self) + (text.utf8.count > maximumLength ? "…" : "")
    }

    private static func usable(_ text: String) -> String? {
        let isPlain = text.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
                || [UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: ".")].contains(byte)
        }
        return (1...64).contains(text.utf8.count) && isPlain ? text : nil
    }

    private static func fresh(_ generator: inout some RandomNumberGenerator) -> String {
        let digits = String(generator.next() as UInt64, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
