import AsyncHTTPClient
import Foundation
import NIOCore
import NIOFoundationCompat
import NIOHTTP1

/// Why a request or a wait failed. The description is one sentence for people.
package struct RecordsClientError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Code: Hashable, Sendable {
        /// Nobody listens, or the connection broke.
        case unreachable
        case notFound
        case conflict
        /// The manifest is refused.
        case invalid
        /// The watched revision is too old.
        case expired
        /// Any other refusal.
        case refused
        case badReply
        case cancelled
        /// What was waited for did not happen in time.
        case timedOut
        /// What was waited for can no longer happen.
        case endedOtherwise
    }

    package let code: Code
    package let description: String

    package init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }

    /// Of a command that ends with this error: 1 for errors, 3 for time-outs, 4 for waits that ended otherwise (2 is for wrong usage).
    package var exitCode: Int32 {
        switch code {
        case .unreachable, .notFound, .conflict, .invalid, .expired, .refused, .badReply, .cancelled: 1
        case .timedOut: 3
        case .endedOtherwise: 4
        }
    }

    init(_ status: HTTPResponseStatus, body: ByteBuffer) {
        struct Status: Decodable {
            let message: String
        }
        // A reply without a status of ours is shown by its number alone.
        let message = try? JSONDecoder().decode(Status.self, from: Data(buffer: body)).message
        let code: Code =
            switch status.code {
            case 404: .notFound
            case 409: .conflict
            case 410: .expired
            case 400, 413, 422: .invalid
            default: .refused
            }
        self.init(code, message ?? "the daemon answered \(status.code)")
    }

    init(transport error: any Error, socketPath: String) {
        let code = error as? HTTPClientError
        if error is CancellationError || code == .cancelled {
            self.init(.cancelled, "cancelled")
        } else if code == .deadlineExceeded {
            self.init(.unreachable, "the daemon at \(socketPath) does not answer")
        } else {
            self.init(
                .unreachable,
                "no daemon answers at \(socketPath); start one with: skls serve --simulator --host unix://\(socketPath)"
            )
        }
    }
}
