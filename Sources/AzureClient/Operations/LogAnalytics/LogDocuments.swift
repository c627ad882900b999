/// The body of an answer (Azure Monitor docs, logs/api/response-format, read 2026-02).
struct LogDocument: Decodable {
    struct Table: Decodable {
        struct Column: Decodable {
            var name: String
            var type: String
        }

        var name: String
        var columns: [Column]
        var rows: [[JSONValue]]
    }

    var tables: [Table]
    var error: JSONValue?

    /// The first table, which is called `PrimaryResult`; nil if there is none, or if its rows do not fit its columns.
    var table: LogTable? {
        guard let table = tables.first(where: { $0.name == "PrimaryResult" }) ?? tables.first,
            table.rows.allSatisfy({ $0.count == table.columns.count })
        else { return nil }
        return LogTable(
            columns: table.columns.map { .init(name: $0.name, type: $0.type) },
            rows: table.rows.map { row in zip(table.columns, row).map { Self.value($1, type: $0.type) } })
    }

    /// A value that does not fit its column's type is kept as what it is.
    static func value(_ value: JSONValue, type: String) -> LogValue {
        switch (type, value) {
        case (_, .null): .null
        case ("dynamic", .string(let text)):
            // Text that is no JSON is a dynamic string.
            .dynamic((try? JSONValue(parsing: text.utf8)) ?? value)
        case ("dynamic", _): .dynamic(value)
        case ("datetime", .string(let text)): LogTime(text).map { .datetime($0) } ?? .text(text)
        // Older answers write truth as a number.
        case ("bool", .integer(let number)): .bool(number != 0)
        case ("real", .integer(let number)): .real(Double(number))
        case (_, .bool(let truth)): .bool(truth)
        case (_, .integer(let number)): .long(number)
        case (_, .number(let number)): .real(number)
        case (_, .string(let text)): .text(text)
        case (_, .array), (_, .object): .dynamic(value)
        }
    }

    /// What is wrong with an answer of status 200; nil if nothing is.
    var partial: LogPartialError? {
        guard let error, error.object != nil else { return nil }
        var codes: [String] = []
        var message = error["message"]?.string ?? ""
        func visit(_ value: JSONValue, depth: Int) {
            if let code = value["code"]?.string { codes.append(code) }
            if let text = value["message"]?.string, !text.isEmpty { message = text }
            guard depth < 6 else { return }
            for part in (value["details"]?.array ?? []) + [value["innererror"]].compactMap(\.self) {
                visit(part, depth: depth + 1)
            }
        }
        visit(error, depth: 0)
        // -2133196797 is 0x80DA0003, E_QUERY_RESULT_SET_TOO_LARGE; -2133196799 is 0x80DA0001, the bound on bytes
        // (Kusto docs, query limits, read 2026-02; numbers seen in public issues).
        let isTooLarge = codes.contains { ["-2133196797", "-2133196799"].contains($0) }
        return LogPartialError(
            code: SafeText.escaped(codes.first ?? "PartialError", limit: 128),
            message: SafeText.escaped(message, limit: 1_024), isTooLarge: isTooLarge)
    }
}
