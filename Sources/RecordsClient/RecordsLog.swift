import AsyncHTTPClient
package import Foundation
import NIOCore
import NIOFoundationCompat

/// A piece of a container's output.
package struct LogPiece: Hashable, Sendable {
    package enum Stream: Hashable, Sendable {
        case standardOutput, standardError
    }

    package let stream: Stream
    package let bytes: Data
}

/// The output of a record, in the order in which it was written. Throws `RecordsClientError`.
package struct RecordsLog: AsyncSequence, Sendable {
    package typealias Element = LogPiece

    let body: HTTPClientResponse.Body

    package func makeAsyncIterator() -> Iterator {
        Iterator(chunks: body.makeAsyncIterator())
    }

    package struct Iterator: AsyncIteratorProtocol {
        private var chunks: HTTPClientResponse.Body.AsyncIterator
        private var decoder = LogFrameDecoder()

        init(chunks: HTTPClientResponse.Body.AsyncIterator) {
            self.chunks = chunks
        }

        package mutating func next() async throws -> LogPiece? {
            while true {
                if let piece = try decoder.next() { return piece }
                let chunk: ByteBuffer?
                do {
                    chunk = try await chunks.next(isolation: #isolation)
                } catch {
                    try Task.checkCancellation()
                    throw RecordsClientError(.unreachable, "the connection broke")
                }
                guard let chunk else {
                    guard decoder.isEmpty else {
                        throw RecordsClientError(.badReply, "the daemon's reply ends in the middle of a frame")
                    }
                    return nil
                }
                decoder.add(chunk)
            }
        }
    }
}

/// Docker's frames: stream, three zero bytes, length in 4 bytes big endian, payload.
struct LogFrameDecoder {
    /// The daemon sends lines, of at most 16 KiB and a timestamp.
    static let maximumPayloadBytes = 16 << 20

    private var buffer = ByteBuffer()

    var isEmpty: Bool { buffer.readableBytes == 0 }

    mutating func add(_ chunk: ByteBuffer) {
        buffer.discardReadBytes()
        buffer.writeImmutableBuffer(chunk)
    }

    /// `nil` until a whole frame is there.
    mutating func next() throws(RecordsClientError) -> LogPiece? {
        guard let stream = buffer.getInteger(at: buffer.readerIndex, as: UInt8.self),
            let length = buffer.getInteger(at: buffer.readerIndex + 4, as: UInt32.self)
        else { return nil }
        guard stream <= 3, length <= LogFrameDecoder.maximumPayloadBytes else {
            throw RecordsClientError(.badReply, "the daemon's reply is not a log")
        }
        guard buffer.readableBytes >= 8 + Int(length) else { return nil }
        buffer.moveReaderIndex(forwardBy: 8)
        guard let payload = buffer.readSlice(length: Int(length)) else { return nil }
        switch stream {
        case 1: return LogPiece(stream: .standardOutput, bytes: Data(buffer: payload))
        case 2: return LogPiece(stream: .standardError, bytes: Data(buffer: payload))
        default: throw RecordsClientError(.refused, String(buffer: payload))
        }
    }
}
