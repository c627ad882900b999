import DesiredState
import Foundation
import HTTPTypes
import HummingbirdCore
import NIOCore
import NIOFoundationCompat

extension RecordsAPI {
    /// How many entries of the journal an explanation shows.
    private static let shownEntries = 20

    /// `GET …/NAME/explain`: why nothing happens, or what does.
    func explain(name: String) async throws -> Response {
        let explainer = try explainer()
        let record = try await find(name)
        guard var explanation = try await explainer.explain(record.uid) else { throw RecordsError.noSuchRecord(name) }
        explanation.journal = try await explainer.journal(of: record.uid, limit: RecordsAPI.shownEntries)
        return try RecordsAPI.document(explanation)
    }

    /// `GET …/NAME/events`: what is worth telling of the record's history, those alike as one.
    func events(name: String) async throws -> Response {
        let explainer = try explainer()
        let record = try await find(name)
        let journal = try await explainer.journal(of: record.uid, limit: JournalEntry.maximumPerRecord)
        return try RecordsAPI.document(EventList(journal))
    }

    /// `GET /metrics`.
    func metrics() async throws -> Response {
        guard let source = backend.metrics else { throw RecordsError(.notFound, "page not found") }
        return Response(
            status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
            body: .init(byteBuffer: ByteBuffer(string: await source.metricsText())))
    }

    private func explainer() throws(RecordsError) -> any Explainer {
        guard let explainer = backend.explainer else {
            throw RecordsError(.unavailable, "no controller runs beside this server")
        }
        return explainer
    }

    private static func document(_ value: some Encodable) throws -> Response {
        var body = ByteBuffer(data: try RecordsAPI.encoder.encode(value))
        body.writeStaticString("\n")
        return Response(status: .ok, headers: [.contentType: "application/json"], body: .init(byteBuffer: body))
    }
}
