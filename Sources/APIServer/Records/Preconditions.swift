import DesiredState
import HTTPTypes
import HummingbirdCore

/// What a writer believes of the record: its uid and revision, from the query (`uid`, `resourceVersion`), a body of Kubernetes' `DeleteOptions`
/// (`preconditions`), or the header `If-Match` with the entity tag that a read gave.
struct Preconditions: Sendable {
    private(set) var uid: UID?
    private(set) var revision: Revision?
    /// `If-Match: *`
    private(set) var mustExist = false
    /// Answered with 412 in place of 409, as HTTP wants it (RFC 9110, section 13.1.1).
    private let comesFromHeader: Bool

    init(_ exchange: Exchange, body: JSON = .null) throws(RecordsError) {
        let conditions = body["preconditions"] ?? .null
        comesFromHeader = exchange.request.headers[.ifMatch] != nil
        for value in [exchange.query["uid"].map(JSON.string), conditions["uid"]].compactMap({ $0 }) where !value.isNull
        {
            guard case .string(let text) = value, let wanted = UID(text) else {
                throw RecordsError(.badRequest, "uid must be 64 hex digits")
            }
            uid = wanted
        }
        for value in [exchange.query["resourceVersion"].map(JSON.string), conditions["resourceVersion"]].compactMap({
            $0
        })
        where !value.isNull {
            guard case .string(let text) = value, let wanted = Revision(codedText: text) else {
                throw RecordsError(.badRequest, "resourceVersion must be a number in quotes")
            }
            revision = wanted
        }
        guard let header = exchange.request.headers[.ifMatch] else { return }
        let tags = Preconditions.tags(header)
        if tags == ["*"] {
            mustExist = true
        } else if tags.count == 1, let wanted = Revision(codedText: String(tags[0].dropFirst().dropLast())) {
            revision = wanted
        } else {
            throw RecordsError(.badRequest, "If-Match must be * or one entity tag of a record")
        }
    }

    /// Throws `conflict`. The commit has to name the revision again.
    func check(_ record: FunctionApp) throws(StoreError) {
        if let uid, uid != record.uid {
            throw StoreError(
                .conflict(current: record.metadata.resourceVersion),
                "the record of this name is another one, \(record.uid)")
        }
        if let revision, revision != record.metadata.resourceVersion {
            throw StoreError(.conflict(current: record.metadata.resourceVersion))
        }
    }

    func refusal(_ error: StoreError) -> any Error {
        guard comesFromHeader, case .conflict = error.code else { return error }
        return RecordsError(.preconditionFailed, error.description)
    }

    static func entityTag(_ revision: Revision) -> String { "\"\(revision.codedText)\"" }

    /// The list of an `If-Match` or `If-None-Match`; ours hold no commas.
    static func tags(_ header: String?) -> [String] {
        (header ?? "").split(separator: ",").map { $0.filter { $0 != " " } }
    }
}
