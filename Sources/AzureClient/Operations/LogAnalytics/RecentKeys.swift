import Crypto
import FoundationEssentials

/// Stands for the values of a row: 128 bits of a hash over their types and content, so that no two rows of one
/// workspace will ever share it by chance.
struct RowKey: Sendable, Hashable {
    var high: UInt64
    var low: UInt64

    init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    init(_ values: [LogValue]) {
        var bytes: [UInt8] = []
        for value in values { value.write(to: &bytes) }
        let digest = Array(SHA256.hash(data: bytes).prefix(16))
        func word(_ part: ArraySlice<UInt8>) -> UInt64 { part.reduce(0) { $0 << 8 | UInt64($1) } }
        self.init(high: word(digest[..<8]), low: word(digest[8...]))
    }
}

extension LogValue {
    /// Different values give different bytes, and none is the beginning of another's.
    fileprivate func write(to bytes: inout [UInt8]) {
        func text(_ tag: String, _ content: String) {
            bytes.append(contentsOf: "\(tag)\(content.utf8.count):\(content)".utf8)
        }
        switch self {
        case .null: text("n", "")
        case .bool(let truth): text("b", truth ? "1" : "0")
        case .long(let number): text("l", String(number))
        case .real(let number): text("r", String(number.bitPattern))
        case .text(let content): text("t", content)
        case .datetime(let time): text("d", String(time.ticks))
        case .dynamic(let value): Self.write(value, to: &bytes)
        }
    }

    /// Members in the order of their names: the order in which they came says nothing.
    private static func write(_ value: JSONValue, to bytes: inout [UInt8]) {
        switch value {
        case .null: LogValue.null.write(to: &bytes)
        case .bool(let truth): LogValue.bool(truth).write(to: &bytes)
        case .integer(let number): LogValue.long(number).write(to: &bytes)
        case .number(let number): LogValue.real(number).write(to: &bytes)
        case .string(let text): LogValue.text(text).write(to: &bytes)
        case .array(let elements):
            bytes.append(contentsOf: "a\(elements.count):".utf8)
            for element in elements { write(element, to: &bytes) }
        case .object(let members):
            bytes.append(contentsOf: "o\(members.count):".utf8)
            for (name, member) in members.sorted(by: { $0.key < $1.key }) {
                LogValue.text(name).write(to: &bytes)
                write(member, to: &bytes)
            }
        }
    }
}

/// The keys of rows that were given, each with the time of the row's first ingestion.
struct RecentKeys: Sendable, Hashable {
    private var times: [RowKey: LogTime] = [:]

    var count: Int { times.count }

    /// Whether the key is new. One that comes again is remembered by its latest time.
    mutating func insert(_ key: RowKey, at time: LogTime) -> Bool {
        guard let known = times[key] else {
            times[key] = time
            return true
        }
        if known < time { times[key] = time }
        return false
    }

    /// Forgets keys of rows ingested before a time, and the oldest beyond a count.
    mutating func forget(before time: LogTime, keeping most: Int) {
        times = times.filter { $0.value >= time }
        guard times.count > most else { return }
        let kept = times.sorted { ($0.value, $0.key.high) > ($1.value, $1.key.high) }.prefix(most)
        times = Dictionary(uniqueKeysWithValues: kept.map { ($0.key, $0.value) })
    }
}

extension RecentKeys: Codable {
    /// One string of base 64, 24 bytes for each key: as JSON members they would take four times as much.
    package func encode(to encoder: any Encoder) throws {
        var data = Data(capacity: times.count * 24)
        for (key, time) in times.sorted(by: { ($0.value, $0.key.high) < ($1.value, $1.key.high) }) {
            for word in [key.high, key.low, UInt64(bitPattern: time.ticks)] {
                withUnsafeBytes(of: word.bigEndian) { data.append(contentsOf: $0) }
            }
        }
        var container = encoder.singleValueContainer()
        try container.encode(data.base64EncodedString())
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let data = Data(base64Encoded: try container.decode(String.self)), data.count.isMultiple(of: 24) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not the keys of a log cursor")
        }
        let bytes = Array(data)
        func word(_ start: Int) -> UInt64 { bytes[start..<(start + 8)].reduce(0) { $0 << 8 | UInt64($1) } }
        for start in stride(from: 0, to: bytes.count, by: 24) {
            times[RowKey(high: word(start), low: word(start + 8))] =
                LogTime(ticks: Int64(bitPattern: word(start + 16)))
        }
    }
}
