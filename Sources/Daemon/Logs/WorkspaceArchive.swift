import APIServer
import AzureClient
import Controller
import DesiredState

/// Output of runs out of the log workspace, for clients that wait for it.
struct WorkspaceArchive: LogArchive {
    private let reader: ConsoleLogReader

    init(logs: any LogsAPI, workspace: GUID) {
        reader = ConsoleLogReader(logs: logs, workspace: workspace)
    }

    func page(_ query: LogArchiveQuery) async throws(LogArchiveError) -> LogArchivePage {
        let side: ConsoleLogQuery.Side =
            switch query.side {
            case .after(let number): .after(number)
            case .before(let number): .before(number)
            }
        let rows = min(query.rows ?? ConsoleLogReader.pageRows, ConsoleLogReader.pageRows)
        do throws(AzureError) {
            let page = try await reader.read(
                ConsoleLogQuery(token: query.token, from: query.from, to: query.to, side: side, rows: rows),
                correlationID: CorrelationID(AzureTransport.randomID()))
            return LogArchivePage(lines: page.lines, rows: page.rows, isLast: page.isLast, missing: page.missing)
        } catch {
            throw LogArchiveError(error)
        }
    }
}

extension LogArchiveError {
    init(_ error: AzureError) {
        switch error.code {
        case .throttled:
            let wait = error.retryAfter.map { "; try again in \(max(1, $0.components.seconds)) s" } ?? ""
            self.init(.throttled, "the log workspace was asked too often\(wait)")
        case .forbidden, .unauthorized:
            self.init(
                .refused,
                "the log workspace refuses to be read: \(error.message); the daemon's identity needs the role "
                    + "Log Analytics Reader on it")
        case .notFound, .scopeNotFound: self.init(.refused, "the log workspace does not exist: \(error.message)")
        case .cancelled: self.init(.cancelled, "the daemon is stopping")
        case .connection, .timedOut, .serverFault, .conflictBusy:
            self.init(.unavailable, "the log workspace does not answer: \(error.message)")
        case .nameTaken, .pendingDelete, .conflict, .invalid, .missingRegistration, .policyDenied, .locked,
            .quotaExceeded, .malformedReply, .other:
            self.init(.refused, "the log workspace cannot be read: \(error.message)")
        }
    }
}
