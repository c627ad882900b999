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
    private let beganAt = ContinuousClock.now
    private let record = NIOLockedValueBox<UID?>(nil)

    init(_ request: HTTPRequest, using generator: inout some RandomNumberGenerator) {
        id = request.headerFields[.requestID].flatMap { RequestLog.usable($0) } ?? RequestLog.fresh(&generator)
        method = request.method
        path = RequestLog.safe((request.path ?? "/").prefix { $0 != "?" })
    }

    /// The record that the request is about: `skls explain` and the log of the controller go on from there.
    static func note(_ uid: UID) {
        current?.record.withLockedValue { $0 = uid }
    }

    /// What changes something is for operators; what only looks is not, and liveness checks come all the time. Failures of ours are warnings.
    func write(status: HTTPResponse.Status, to logger: Logger) {
        let isRead = method == .get || method == .head
        let level: Logger.Level = status.code >= 500 && status.code != 501 ? .warning : isRead ? .debug : .info
        guard logger.logLevel <= level else { return }
        let elapsed = ContinuousClock.now - beganAt
        var metadata: Logger.Metadata = [
            LogKey.method.rawValue: "\(method)", LogKey.path.rawValue: "\(path)",
            LogKey.status.rawValue: "\(status.code)", LogKey.requestID.rawValue: "\(id)",
            LogKey.durationMilliseconds.rawValue: "\(elapsed.wholeNanoseconds / 1_000_000)",
        ]
        if let uid = record.withLockedValue({ $0 }) { metadata[LogKey.key.rawValue] = "\(uid.short)" }
        logger.log(level: level, "request", metadata: metadata)
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
