import AgentProtocol
package import AzureClient
import DesiredState

/// Looks for an attempt in the log workspace: the agent writes a line with the token into its container's log before it executes a command, and one with
/// the exit code after it (docs/agent-protocol.md), and a diagnostic setting of the site sends that log to the table `AppServiceConsoleLogs`.
package struct RunLogReader: Sendable {
    private let logs: any LogsAPI
    private let workspace: GUID
    let settlesAfter: Duration

    /// Resource logs take 3 to 10 minutes (Azure docs, data-ingestion-time, read 2026-02).
    package static let usualSettling: Duration = .seconds(900)

    /// - Parameter settlesAfter: rows are in the workspace so long after what they tell of.
    package init(logs: any LogsAPI, workspace: GUID, settlesAfter: Duration = usualSettling) {
        self.logs = logs
        self.workspace = workspace
        self.settlesAfter = settlesAfter
    }

    /// - Parameter openedAt: the attempt's, by our wall clock; rows of the hour before count too, should clocks differ.
    func find(token: String, openedAt: Instant, correlationID: CorrelationID) async throws(AzureError) -> RunLogFinding
    {
        let from = LogTime(unixSeconds: openedAt.unixSeconds - 3600)
        let query = RunLogReader.query(token: token, from: from)
        switch try await logs.queryLogs(LogQuery(.workspace(workspace), query), correlationID: correlationID) {
        case .noRowsYet: return .nothing
        case .table(let table, _):
            let lines = table.rows.compactMap { $0.first?.text }
            return RunLogFinding(lines: lines, token: token)
        }
    }

    static func query(token: String, from: LogTime) -> String {
        """
        AppServiceConsoleLogs
        | where TimeGenerated >= \(KQLLiteral.datetime(from))
        | where ResultDescription has \(KQLLiteral.string(token))
        | project ResultDescription
        | take 20
        """
    }
}

extension RunLogFinding {
    /// Of the agent's own lines; others that name the token count for nothing.
    init(lines: [String], token: String) {
        self = .nothing
        // What a command wrote is none of the agent's lines, whatever it says.
        for line in lines where !line.contains(ConsoleLine.prefix) {
            let words = line.split(whereSeparator: \.isWhitespace)
            guard let start = words.firstIndex(of: "skls-agent:"), words.count > start + 2,
                words[start + 2] == "token=" + token
            else { continue }
            let code = words.last { $0.hasPrefix("code=") }.flatMap { Int($0.dropFirst(5)) }
            switch (words[start + 1], code) {
            case ("exit", let code?): self = .exited(code: code)
            case ("exec", _) where self == .nothing: self = .began
            default: continue
            }
        }
    }
}
