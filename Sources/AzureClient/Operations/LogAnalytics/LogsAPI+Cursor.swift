extension LogsAPI {
    /// Asks once for what a cursor wants next, and moves it.
    /// - Returns: the new rows; ask again at once while there is more.
    /// - Throws: as ``queryLogs(_:correlationID:)``; the cursor has not moved then. `malformedReply` if an answer lacks
    ///   the cursor's columns, or is not whole for another reason than its size.
    package func advance(
        _ cursor: inout LogCursor, over source: LogCursor.Source, of target: LogTarget, correlationID: CorrelationID
    ) async throws(AzureError) -> LogCursor.Step {
        let query = LogQuery(target, cursor.query(source))
        let answer = try await queryLogs(query, correlationID: correlationID)
        guard case .table(let table, let partial) = answer else {
            cursor.receivedNothing()
            return LogCursor.Step(table: LogTable(columns: [], rows: []), hasMore: false)
        }
        if let partial, !partial.isTooLarge {
            throw Self.unusable("the answer is not whole: \(partial.message)", correlationID)
        }
        do throws(LogCursor.Fault) {
            return try cursor.received(table, keyColumns: source.keyColumns, isTooLarge: partial != nil)
        } catch {
            switch error {
            case .instantTooLarge:
                throw Self.unusable("more rows came in at one instant than an answer may hold", correlationID)
            case .rowTooLarge: throw Self.unusable("a row is larger than an answer may be", correlationID)
            case .missingColumn(let name): throw Self.unusable("the answer has no column \(name)", correlationID)
            }
        }
    }

    private static func unusable(_ message: String, _ correlationID: CorrelationID) -> AzureError {
        AzureError(
            code: .malformedReply, operation: .queryLogs, resource: "log cursor", message: message,
            correlationID: correlationID.description)
    }
}
