import DesiredState
import HTTPTypes
import Logging
import NIOConcurrencyHelpers

/// What becomes known of a request while it is answered, for the one line that is logged of it.
final class RequestFacts: Sendable {
    /// Of the request that this task, or one of its parents, answers.
    @TaskLocal static var current: RequestFacts?

    private let uids = NIOLockedValueBox<UID?>(nil)

    /// The record that the request is about; the first one counts.
    static func note(_ uid: UID) {
        current?.uids.withLockedValue { $0 = $0 ?? uid }
    }

    private var uid: UID? { uids.withLockedValue { $0 } }

    /// Bound of correlation ids in one line; `skls explain` shows all.
    private static let maximumCorrelations = 8
    /// What monitors ask every few seconds; told at `debug`.
    private static let frequentPaths: Set = ["/_ping", "/healthz", "/readyz", "/metrics", "/internal/v1/healthz"]

    private let began: Instant
    private let start = ContinuousClock.now
    /// The client's own (`X-Request-Id`), or one that is made here; told back in the answer.
    let id: String
    private let method: HTTPRequest.Method
    /// Without the query, which may hold secrets.
    private let path: String
    private let backend: Backend

    init(_ request: HTTPRequest, _ backend: Backend) {
        self.backend = backend
        id =
            request.headerFields[.requestID].flatMap { RequestFacts.usable($0) }
            ?? String(UInt64.random(in: 0 ... .max), radix: 16)
        method = request.method
        path = RequestFacts.safe((request.path ?? "/").prefix { $0 != "?" })
        began = backend.clock()
    }

    /// Logs the request's line, once its response was written or could not be: method, path, status, duration, an id of the request, the record's key,
    /// and the correlation ids of the calls to Azure that were made for the record meanwhile.
    func log(status: HTTPResponse.Status) async {
        let level: Logger.Level = RequestFacts.frequentPaths.contains(path) && status == .ok ? .debug : .info
        guard backend.logger.logLevel <= level else { return }
        let elapsed = (ContinuousClock.now - start).components
        let milliseconds = elapsed.seconds * 1000 + elapsed.attoseconds / 1_000_000_000_000_000
        var metadata: Logger.Metadata = [
            LogKey.method.rawValue: "\(method)", LogKey.path.rawValue: "\(path)",
            LogKey.status.rawValue: "\(status.code)", LogKey.duration.rawValue: "\(milliseconds)",
            LogKey.requestID.rawValue: .string(id),
        ]
        if let uid {
            metadata[LogKey.key.rawValue] = "\(uid.short)"
            // Reading causes no calls.
            let ids = [.get, .head].contains(method) ? [] : await correlations(of: uid)
            if !ids.isEmpty { metadata[LogKey.correlationID.rawValue] = .array(ids.map { .string($0) }) }
        }
        backend.logger.log(level: level, "request", metadata: metadata)
    }

    /// Bound of what is quoted from a request.
    private static let maximumQuote = 256

    /// Printable ASCII, shortened: what clients send could break or forge lines of a log.
    static func safe(_ text: some StringProtocol) -> String {
        let bytes = text.utf8.prefix(maximumQuote).map { (0x21...0x7e).contains($0) ? $0 : UInt8(ascii: "?") }
        return String(decoding: bytes, as: UTF8.self) + (text.utf8.count > maximumQuote ? "…" : "")
    }

    private static func usable(_ text: String) -> String? {
        let isPlain = text.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
                || "-_.".utf8.contains(byte)
        }
        return (1...64).contains(text.utf8.count) && isPlain ? text : nil
    }

    private func correlations(of uid: UID) async -> [String] {
        // A journal that cannot be read costs the line its ids only.
        guard let explainer = backend.explainer,
            let journal = try? await explainer.journal(of: uid, limit: JournalEntry.maximumPerRecord)
        else { return [] }
        var ids: [String] = []
        for entry in journal where entry.at >= began {
            if let id = entry.correlationID, !ids.contains(id) { ids.append(id) }
        }
        return Array(ids.suffix(RequestFacts.maximumCorrelations))
    }
}
