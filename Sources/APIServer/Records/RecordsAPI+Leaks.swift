import DesiredState
import Foundation
import HTTPTypes
import HummingbirdCore
import NIOCore
import NIOFoundationCompat

/// Sites without records, and the way out of a frozen store: `/apis/skls.dev/v1/leaks` and `…/recovery`.
extension RecordsAPI {
    static let base = ["apis", "skls.dev", "v1"]

    static func servesLeaks(_ segments: [String]) -> Bool {
        guard segments.starts(with: base), segments.count > base.count else { return false }
        return ["leaks", "recovery"].contains(segments[base.count])
    }

    /// `GET leaks`, `POST leaks/SITE/adoption`, `DELETE leaks/SITE`; `GET recovery` for the plan and `POST recovery` with its
    /// digest to carry it out, both with `instance=` and `force=1` where wanted.
    func leaks(_ exchange: Exchange) async throws -> Response {
        let path = Array(exchange.target.segments.dropFirst(RecordsAPI.base.count))
        do throws(LeakControlError) {
            switch (exchange.method, path.first, path.count) {
            case (.get, "leaks", 1): return document(try await backend.leaks.leaks())
            case (.delete, "leaks", 2):
                try await backend.leaks.delete(site: path[1])
                return document(["status": "deleted"])
            case (.post, "leaks", 3) where path[2] == "adoption":
                return document(try await backend.leaks.adopt(site: path[1]), status: .created)
            case (.get, "recovery", 1): return document(try await backend.leaks.recoveryPlan(request(exchange)))
            case (.post, "recovery", 1):
                guard let digest = exchange.query["digest"], !digest.isEmpty else {
                    throw LeakControlError(.moved, "the plan's digest is missing: look at the plan first")
                }
                return document(try await backend.leaks.recover(request(exchange), digest: digest))
            default: return RecordsAPI.refusal(RecordsError(.notFound, "page not found"))
            }
        } catch {
            return RecordsAPI.refusal(RecordsError(error))
        }
    }

    private func request(_ exchange: Exchange) -> RecoveryRequest {
        RecoveryRequest(
            instance: exchange.query["instance"].flatMap { $0.isEmpty ? nil : $0 },
            isForced: exchange.query.flag("force"))
    }

    private func document(_ value: some Encodable, status: HTTPResponse.Status = .ok) -> Response {
        do {
            var body = ByteBuffer(data: try RecordsAPI.encoder.encode(value))
            body.writeStaticString("\n")
            return Response(
                status: status, headers: [.contentType: "application/json"], body: .init(byteBuffer: body))
        } catch {
            return RecordsAPI.refusal(RecordsError(.internalError, "the reply cannot be written as JSON: \(error)"))
        }
    }
}

extension RecordsError {
    fileprivate init(_ error: LeakControlError) {
        let reason: Reason =
            switch error.code {
            case .notFound: .notFound
            case .moved: .conflict
            case .refused: .invalid
            case .unavailable: .unavailable
            }
        self.init(reason, error.description)
    }
}
