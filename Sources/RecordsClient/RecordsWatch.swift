import AsyncHTTPClient
package import DesiredState
import Foundation
import NIOCore
import NIOFoundationCompat

package enum RecordsEvent: Hashable, Sendable {
    /// Everything that exists; what is not in it is gone. The first event, and again whenever changes were missed.
    case snapshot([FunctionApp])
    case changed(FunctionApp)
    /// Gone, or selected no longer.
    case deleted(FunctionApp)
}

/// All changes of records. Ends only by an error or by cancellation.
///
/// The first connection has to succeed; later ones are tried again, with growing pauses, for as long as the caller waits. Nothing is missed: a new
/// connection goes on from the last revision seen, and lists everything anew when the daemon has forgotten what came after it.
package struct RecordsWatch: AsyncSequence, Sendable {
    package typealias Element = RecordsEvent

    let client: RecordsClient
    let selection: Selection

    package func makeAsyncIterator() -> Iterator {
        Iterator(client: client, selection: selection)
    }

    package struct Iterator: AsyncIteratorProtocol {
        private let client: RecordsClient
        private let selection: Selection
        private var revision: Revision?
        private var lines: LineReader?
        private var failures = 0

        /// A restarting daemon is back within a second; more patience costs nothing.
        private static let longestPause: Duration = .seconds(2)

        init(client: RecordsClient, selection: Selection) {
            self.client = client
            self.selection = selection
        }

        package mutating func next() async throws -> RecordsEvent? {
            while true {
                guard let reached = revision else { return try await snapshot() }
                do throws(RecordsClientError) {
                    if lines == nil { lines = LineReader(body: try await client.watchBody(from: reached, selection)) }
                    guard let line = try await lines?.next() else {
                        throw RecordsClientError(.unreachable, "the connection ended")
                    }
                    failures = 0
                    if let event = try take(line) { return event }
                } catch {
                    lines = nil
                    try await recover(from: error)
                }
            }
        }

        private mutating func snapshot() async throws -> RecordsEvent {
            while true {
                do throws(RecordsClientError) {
                    let list = try await client.list(selection)
                    revision = list.revision
                    return .snapshot(list.records)
                } catch {
                    guard failures > 0 else { throw error }
                    try await recover(from: error)
                }
            }
        }

        private mutating func recover(from error: RecordsClientError) async throws {
            switch error.code {
            case .expired: revision = nil
            case .unreachable:
                failures += 1
                let pause = Duration.milliseconds(50) * (1 << Swift.min(failures, 6))
                try await Task.sleep(for: Swift.min(pause, RecordsWatch.Iterator.longestPause))
            default: throw error
            }
        }

        /// `nil` for a bookmark.
        private mutating func take(_ line: ByteBuffer) throws(RecordsClientError) -> RecordsEvent? {
            let data = Data(buffer: line)
            do {
                let head = try JSONDecoder().decode(Head.self, from: data)
                switch head.type {
                case "BOOKMARK":
                    revision = head.object.metadata?.resourceVersion ?? revision
                    return nil
                case "ERROR":
                    throw RecordsClientError(
                        head.object.code == 410 ? .expired : .refused, head.object.message ?? "the watch failed")
                default:
                    let record = try JSONDecoder().decode(Body.self, from: data).object
                    revision = Swift.max(revision ?? .zero, record.metadata.resourceVersion)
                    return head.type == "DELETED" ? .deleted(record) : .changed(record)
                }
            } catch let error as RecordsClientError {
                throw error
            } catch {
                throw RecordsClientError(.badReply, "the daemon's reply cannot be read: \(error)")
            }
        }

        private struct Head: Decodable {
            struct Object: Decodable {
                struct Metadata: Decodable {
                    let resourceVersion: Revision?
                }
                let metadata: Metadata?
                let code: Int?
                let message: String?
            }
            let type: String
            let object: Object
        }

        private struct Body: Decodable {
            let object: FunctionApp
        }
    }
}

/// Splits a body into lines.
struct LineReader {
    /// A record is at most what a manifest may be, written twice.
    static let maximumLineBytes = 16 << 20

    private var chunks: HTTPClientResponse.Body.AsyncIterator
    private var buffer = ByteBuffer()

    init(body: HTTPClientResponse.Body) {
        chunks = body.makeAsyncIterator()
    }

    /// Without its line feed; `nil` at the end.
    mutating func next() async throws(RecordsClientError) -> ByteBuffer? {
        while true {
            if let end = buffer.readableBytesView.firstIndex(of: UInt8(ascii: "\n")) {
                let line = buffer.readSlice(length: end - buffer.readerIndex)
                buffer.moveReaderIndex(forwardBy: 1)
                return line
            }
            guard buffer.readableBytes < LineReader.maximumLineBytes else {
                throw RecordsClientError(.badReply, "the daemon sent a line of more than 16 MiB")
            }
            guard var chunk = try await nextChunk() else { return nil }
            buffer.discardReadBytes()
            buffer.writeBuffer(&chunk)
        }
    }

    private mutating func nextChunk() async throws(RecordsClientError) -> ByteBuffer? {
        do {
            return try await chunks.next(isolation: #isolation)
        } catch is CancellationError {
            throw RecordsClientError(.cancelled, "cancelled")
        } catch {
            if Task.isCancelled { throw RecordsClientError(.cancelled, "cancelled") }
            throw RecordsClientError(.unreachable, "the connection broke")
        }
    }
}
