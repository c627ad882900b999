import Controller
import DesiredState
import Foundation
import Logging
import NIOConcurrencyHelpers

/// Writes finished spans as JSON lines to a file, behind everybody's back. Two files of `maximumBytes` at most: the full
/// one becomes `PATH.1`. Spans that come faster than the disk takes them are dropped and counted.
final class TraceFile: Sendable {
    static let maximumBytes = 32 << 20
    /// Bound of spans that wait to be written.
    private static let maximumWaiting = 10_000

    private let path: String
    private let limit: Int
    private let logger: Logger
    private let spans: AsyncStream<FinishedSpan>
    private let continuation: AsyncStream<FinishedSpan>.Continuation
    private let dropped = NIOLockedValueBox(0)

    /// - Throws: if the file cannot be opened.
    init(path: String, limit: Int = TraceFile.maximumBytes, logger: Logger) throws {
        self.path = path
        self.limit = limit
        self.logger = logger
        (spans, continuation) = AsyncStream.makeStream(
            of: FinishedSpan.self, bufferingPolicy: .bufferingOldest(TraceFile.maximumWaiting))
        _ = try TraceFile.open(path)
    }

    var droppedCount: Int { dropped.withLockedValue { $0 } }

    func write(_ span: FinishedSpan) {
        if case .dropped = continuation.yield(span) { dropped.withLockedValue { $0 += 1 } }
    }

    /// No span comes any more; ``run()`` ends once all are written.
    func finish() {
        continuation.finish()
    }

    /// Until ``finish()``, or until the disk refuses: spans are worth no outage.
    func run() async {
        do {
            var file = try TraceFile.open(path)
            var size = try file.seekToEnd()
            for await span in spans {
                let line = Data(TraceFile.line(span).utf8)
                if size + UInt64(line.count) > UInt64(limit) {
                    try file.close()
                    _ = rename(path, path + ".1")  // if it fails, the file begins anew all the same
                    file = try TraceFile.open(path)
                    try file.truncate(atOffset: 0)
                    size = 0
                }
                try file.write(contentsOf: line)
                size += UInt64(line.count)
            }
            try file.close()
        } catch {
            logger.error(
                "traces are not written any more", metadata: Logger.Metadata([.path: path, .error: "\(error)"]))
        }
    }

    private static func open(_ path: String) throws -> FileHandle {
        let descriptor = Foundation.open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw TraceFileError(path: path, code: errno) }
        return FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    }

    static func line(_ span: FinishedSpan) -> String {
        func time(_ nanoseconds: UInt64) -> String {
            Instant(nanoseconds: Int64(clamping: nanoseconds)).rfc3339(fractionDigits: 9)
        }
        var members = [
            ("traceId", JSONText.quoted(span.identity.traceID)), ("spanId", JSONText.quoted(span.identity.spanID)),
        ]
        if let parent = span.parentID { members.append(("parentSpanId", JSONText.quoted(parent))) }
        members += [
            ("name", JSONText.quoted(span.name)), ("kind", JSONText.quoted(span.kind)),
            ("start", JSONText.quoted(time(span.startNanoseconds))),
            ("end", JSONText.quoted(time(span.endNanoseconds))),
            ("status", JSONText.quoted(span.isError ? "error" : "ok")),
        ]
        if let message = span.message { members.append(("message", JSONText.quoted(message))) }
        let attributes = Logger.Metadata(uniqueKeysWithValues: span.attributes.map { ($0.key, .string($0.value)) })
        members.append(("attributes", JSONText.object(attributes)))
        return "{" + members.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",") + "}\n"
    }
}

struct TraceFileError: Error, CustomStringConvertible {
    let path: String
    let code: Int32
    var description: String { "SKLS_TRACE_FILE: \(path): \(String(cString: strerror(code)))" }
}
