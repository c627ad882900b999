import DesiredState
import Foundation
import HTTPTypes
import HummingbirdCore
import NIOCore
import NIOFoundationCompat

extension RecordsAPI {
    /// Rows that one page looks at in search of matching ones: a page may hold fewer records than it was asked for, and still have a next one.
    private static let maximumScan = 5000
    /// Records that are read from the store at a time.
    private static let chunk = 500

    func selector(_ exchange: Exchange) throws(RecordsError) -> RecordSelector {
        do throws(SelectorFault) {
            return try RecordSelector(
                labels: exchange.query["labelSelector"] ?? "", fields: exchange.query["fieldSelector"] ?? "")
        } catch {
            throw RecordsError(.badRequest, error.description)
        }
    }

    /// `GET …[?labelSelector=…][&fieldSelector=…][&limit=N[&continue=TOKEN]]`, in order of creation. Records that are being deleted are there too, as
    /// long as they are.
    ///
    /// Pages of one list bear the revision of its first page, and show records as they are by the time of the page; so the list and a watch from
    /// its revision miss nothing. When that watch is no longer possible the list has expired: 410, with a token that goes on at a newer revision
    /// for those who can do with an inconsistent list.
    func list(_ exchange: Exchange) async throws -> Response {
        let selector = try selector(exchange)
        let limit = try limit(exchange)
        let token = try continueToken(exchange)
        guard limit != nil || token != nil else {
            let list = try await backend.store.list(includingDeleted: true)
            return try reply(list.records.filter(selector.matches), at: list.revision, next: nil)
        }
        let (revision, records, next) = try await page(selector, limit: limit ?? .max, from: token)
        return try reply(records, at: revision, next: next)
    }

    private func page(
        _ selector: RecordSelector, limit: Int, from token: ListToken?
    ) async throws -> (Revision, [FunctionApp], ListToken?) {
        var position = token?.position
        var revision = token?.isInconsistent == true ? nil : token?.revision
        var records: [FunctionApp] = []
        var scanned = 0
        let chunk = selector.selectsAll ? min(RecordsAPI.chunk, limit) : RecordsAPI.chunk
        while true {
            let page: RecordPage
            do throws(StoreError) {
                page = try await backend.store.page(after: position, limit: chunk, since: revision)
            } catch {
                throw expired(position, error)
            }
            let first = revision ?? page.revision
            revision = first
            for (record, place) in zip(page.records, page.positions) {
                position = place
                scanned += 1
                if selector.matches(record) { records.append(record) }
                if limit != .max, records.count == limit || scanned == RecordsAPI.maximumScan {
                    let hasMore = page.hasMore || place != page.positions.last
                    return (first, records, hasMore ? ListToken(revision: first, position: place) : nil)
                }
            }
            guard page.hasMore else { return (first, records, nil) }
        }
    }

    private func reply(_ records: [FunctionApp], at revision: Revision, next: ListToken?) throws -> Response {
        var metadata: JSON = ["resourceVersion": .string(revision.codedText)]
        if let next { metadata = metadata.merging(["continue": .string(next.text)]) }
        var body = ByteBuffer()
        let head: JSON = [
            "apiVersion": .string(FunctionApp.apiVersion), "kind": "FunctionAppList", "metadata": metadata,
        ]
        head.write(to: &body)
        // Takes the closing brace back, to go on with the items.
        body.moveWriterIndex(to: body.writerIndex - 1)
        body.writeStaticString(",\"items\":[")
        let encoder = RecordsAPI.encoder
        for (index, record) in records.enumerated() {
            if index > 0 { body.writeStaticString(",") }
            body.writeData(try encoder.encode(record))
        }
        body.writeStaticString("]}\n")
        return Response(status: .ok, headers: [.contentType: "application/json"], body: .init(byteBuffer: body))
    }

    /// 0 is no limit, as in Kubernetes.
    private func limit(_ exchange: Exchange) throws(RecordsError) -> Int? {
        guard let text = exchange.query["limit"], !text.isEmpty else { return nil }
        guard let limit = Int(text), limit >= 0 else {
            throw RecordsError(.badRequest, "limit must be a whole number from 0, not \"\(text)\"")
        }
        return limit == 0 ? nil : limit
    }

    private func continueToken(_ exchange: Exchange) throws(RecordsError) -> ListToken? {
        guard let text = exchange.query["continue"], !text.isEmpty else { return nil }
        guard let token = ListToken(text) else {
            throw RecordsError(.badRequest, "continue is not a token of this daemon; list from the beginning")
        }
        return token
    }

    private func expired(_ position: RecordPosition?, _ error: StoreError) -> any Error {
        guard case .compacted = error.code else { return error }
        var refusal = RecordsError(
            .expired,
            "the list has expired: \(error); list from the beginning, or go on with the token in metadata.continue, which mixes revisions"
        )
        refusal.continueToken =
            ListToken(
                revision: .zero, position: position ?? RecordPosition(0), isInconsistent: true
            ).text
        return refusal
    }
}

/// Where a list goes on. Opaque to clients.
struct ListToken: Hashable, Sendable {
    let revision: Revision
    let position: RecordPosition
    /// The revision is forgotten; the next page begins a new one.
    var isInconsistent = false

    init(revision: Revision, position: RecordPosition, isInconsistent: Bool = false) {
        self.revision = revision
        self.position = position
        self.isInconsistent = isInconsistent
    }

    /// `nil` for a text that no token has.
    init?(_ text: String) {
        let padded = text.replacing("-", with: "+").replacing("_", with: "/")
        guard let data = Data(base64Encoded: padded + String(repeating: "=", count: (4 - padded.count % 4) % 4))
        else { return nil }
        let parts = String(decoding: data, as: UTF8.self).split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4, parts[0] == "1", let revision = Revision(codedText: String(parts[1])),
            let position = Int64(parts[2]), position >= 0, ["", "i"].contains(parts[3])
        else { return nil }
        self.init(revision: revision, position: RecordPosition(position), isInconsistent: parts[3] == "i")
    }

    /// Needs no escapes in a query.
    var text: String {
        Data("1.\(revision.codedText).\(position.number).\(isInconsistent ? "i" : "")".utf8).base64EncodedString()
            .replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }
}
