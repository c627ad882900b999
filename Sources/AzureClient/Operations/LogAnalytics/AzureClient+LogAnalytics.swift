import NIOCore
import NIOHTTP1

extension AzureClient: LogsAPI {
    /// Log Analytics answers with about 100 MB at most (Azure docs, service-limits, read 2026-02).
    static let logAnswerBytes = 128 << 20

    package func queryLogs(_ query: LogQuery, correlationID: CorrelationID) async throws(AzureError) -> LogAnswer {
        let request = try logRequest(query, correlationID: correlationID)
        let reply: AzureReply
        do throws(AzureError) {
            reply = try await call(request)
        } catch {
            if Self.isMissingTable(error) { return .noRowsYet }
            throw error
        }
        if reply.status == 204 { return .noRowsYet }
        let document = try decoded(LogDocument.self, from: reply, to: request)
        guard let table = document.table else {
            throw AzureError(unusable: reply, to: request, message: "the answer holds no table, or one with odd rows")
        }
        return .table(table, partial: document.partial)
    }

    private func logRequest(_ query: LogQuery, correlationID: CorrelationID) throws(AzureError) -> AzureRequest {
        let (name, path) =
            switch query.target {
            case .workspace(let id): ("workspace \(id)", "/v1/workspaces/\(id)/query")
            case .resource(let id): (id.description, "/v1\(id.escapedPath)/query")
            }
        let wait = min(600, max(1, query.serverTimeout.components.seconds))
        var request = AzureRequest(
            operation: .queryLogs, resource: name, method: .POST, url: environment.logAnalytics.url(escapedPath: path),
            // Without a media type the service answers 200 and nothing (azure-monitor-docs, read 2026-02).
            headers: [
                "accept": "application/json", "content-type": "application/json", "prefer": "wait=\(wait)",
            ], correlationID: correlationID,
            // The service answers 504 by itself; a little more lets that answer arrive.
            timeout: .seconds(wait + 15), bodyBound: .refuse(aboveBytes: Self.logAnswerBytes),
            tokenScope: environment.logAnalyticsScope)
        request.body = try Self.encoded(
            LogQueryBody(query: query.text, timespan: query.timespan?.text), for: request)
        return request
    }

    /// A custom table exists from its first row on, and so does, in some workspaces, one of Azure's own. The code stands
    /// for other names too that do not exist, so the text has to be read (wording from public issues, read 2026-02).
    private static func isMissingTable(_ error: AzureError) -> Bool {
        error.status == 400 && error.serviceCode == "BadArgumentError"
            && ["SEM0100", "SemanticError"].contains(error.innerCode)
            && error.detail?.contains("Failed to resolve table") == true
    }
}

private struct LogQueryBody: Encodable {
    var query: String
    var timespan: String?
}
