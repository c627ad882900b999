package import DesiredState

/// The lines of a table that goes on for as long as records change. Pure: events in, lines out.
package struct RecordTableWatch {
    private let isWide: Bool
    private var widths: [Int] = []
    /// What was shown last of each record.
    private var shown: [String: FunctionApp] = [:]
    private var hasHeader = false

    package init(isWide: Bool) {
        self.isWide = isWide
    }

    /// Records of the event that were not shown in this form before; those that are gone have no record but their last form.
    package mutating func news(_ event: RecordsEvent) -> [(record: FunctionApp, isGone: Bool)] {
        switch event {
        case .snapshot(let records):
            let present = Set(records.map(\.uid.text))
            let gone = shown.values.filter { !present.contains($0.uid.text) }.sorted {
                $0.metadata.name < $1.metadata.name
            }
            return gone.map { forget($0) } + records.compactMap { show($0) }
        case .changed(let record): return show(record).map { [$0] } ?? []
        // One that was selected never is not missed.
        case .deleted(let record): return shown[record.uid.text] == nil ? [] : [forget(record)]
        }
    }

    private mutating func show(_ record: FunctionApp) -> (record: FunctionApp, isGone: Bool)? {
        guard shown.updateValue(record, forKey: record.uid.text) != record else { return nil }
        return (record, false)
    }

    private mutating func forget(_ record: FunctionApp) -> (record: FunctionApp, isGone: Bool) {
        shown.removeValue(forKey: record.uid.text)
        return (record, true)
    }

    /// Columns keep their widths from line to line, and grow where they must.
    package mutating func lines(_ event: RecordsEvent, now: Instant) -> String {
        var rows = news(event).map { record, isGone in
            var row = RecordTable.row(of: record, now: now, isWide: isWide)
            if isGone { row[RecordTable.readyColumn] = "Gone" }
            return row
        }
        guard !rows.isEmpty else { return "" }
        if !hasHeader { rows.insert(RecordTable.header(isWide: isWide), at: 0) }
        hasHeader = true
        return TerminalText.table(rows, widths: &widths)
    }
}
