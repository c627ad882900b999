// How lines come into tables: late, in another order, and some of them twice.

extension World {
    /// Puts a line into a workspace's table. Without a workspace of that id it is lost, as on Azure.
    mutating func record(_ record: LogRecord, in workspaceResourceID: String, at now: Instant) {
        guard let workspace = logs.workspaces[workspaceResourceID.lowercased()] else { return }
        let log = settings.logs
        let isTwice =
            log.duplicatesPerMille > 0 && Int.random(in: 0..<1_000, using: &logs.random) < log.duplicatesPerMille
        for _ in 0..<(isTwice ? 2 : 1) {
            let ingested = now + settings.scaled(logs.draw(log.delay))
            let visible = ingested + settings.scaled(logs.draw(log.visibilityLag))
            logs.stores[workspace.customerID, default: LogStore()].add(
                record, workspaceID: workspace.customerID, ingested: ingested, visible: visible,
                limit: log.rowsPerTable)
        }
    }

    /// A line of a site, into every workspace that a diagnostic setting sends this category to.
    mutating func recordLine(
        _ line: String, category: String, level: String, of key: SiteKey, container: InstanceID?, at now: Instant
    ) {
        guard !logs.diagnostics.isEmpty, let site = sites[key] else { return }
        let resourceID = id(of: site)
        let text: KQL.Value = .string(String(decoding: line.utf8.prefix(Self.longestFieldBytes), as: UTF8.self))
        for setting in (logs.diagnostics[resourceID.lowercased()] ?? [:]).values.sorted(by: { $0.name < $1.name })
        where setting.categories.contains(category) {
            record(
                LogRecord(
                    table: category, generated: now, resourceID: resourceID,
                    values: [
                        "Level": .string(level), "Host": .string(String(workerID.prefix(12))),
                        "ContainerId": .string(container?.text ?? ""), "ResultDescription": text, "Message": text,
                        "OperationName": .string(
                            category == "AppServiceConsoleLogs"
                                ? "Microsoft.Web/sites/log" : "ContainerLogs"), "Category": .string(category),
                    ]), in: setting.workspaceResourceID, at: now)
        }
    }

    /// Longer fields are cut (Azure docs, service-limits: 32 KB, read 2026-02).
    static let longestFieldBytes = 32 * 1_024
}
