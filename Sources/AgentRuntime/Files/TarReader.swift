/// Takes a tar apart as it comes: ustar, pax and the long names of GNU tar. It is strict: what it cannot tell for sure is
/// an error, not an entry.
struct TarReader {
    enum Event: Equatable {
        case entry(TarEntry)
        /// The next piece of the last entry's content.
        case content(ArraySlice<UInt8>)
        /// All of the last entry's content has come; for every entry.
        case entryEnd
    }

    struct Failure: Error, Equatable {
        let description: String
    }

    private enum State {
        case header
        case content(remaining: UInt64, padding: Int)
        /// A header about the next entry, which is read whole.
        case attributes(type: UInt8, remaining: Int, padding: Int)
        case padding(Int)
        case over
    }

    private var state = State.header
    private var pending: [UInt8] = []
    private var extensionBytes: [UInt8] = []
    private var attributes: [String: [UInt8]] = [:]
    private var emptyBlocks = 0

    /// Longest pax header or long name; the kernel takes no longer path than 4,096 bytes.
    private static let extensionLimit = 1 << 20
    private static let nameLimit = 4096

    /// The next bytes. Events are complete for them when this returns.
    mutating func read(_ bytes: [UInt8]) throws(Failure) -> [Event] {
        var rest = bytes[...]
        var events: [Event] = []
        while !rest.isEmpty {
            switch state {
            case .over: return events
            case .padding(let count):
                let skipped = min(count, rest.count)
                rest = rest.dropFirst(skipped)
                state = skipped == count ? .header : .padding(count - skipped)
            case .content(let remaining, let padding):
                let piece = rest.prefix(Int(min(remaining, UInt64(rest.count))))
                rest = rest.dropFirst(piece.count)
                events.append(.content(piece))
                advance(remaining - UInt64(piece.count), padding, &events)
            case .attributes(let type, let remaining, let padding):
                let piece = rest.prefix(remaining)
                rest = rest.dropFirst(piece.count)
                extensionBytes += piece
                if piece.count < remaining {
                    state = .attributes(type: type, remaining: remaining - piece.count, padding: padding)
                } else {
                    try takeExtension(type)
                    state = .padding(padding)
                    if padding == 0 { state = .header }
                }
            case .header:
                let piece = rest.prefix(TarBlock.bytes - pending.count)
                rest = rest.dropFirst(piece.count)
                pending += piece
                guard pending.count == TarBlock.bytes else { break }
                let block = pending
                pending.removeAll(keepingCapacity: true)
                try takeHeader(block, &events)
            }
        }
        return events
    }

    /// The input is at its end: it may not stop in the middle of an entry.
    func finish() throws(Failure) {
        switch state {
        case .over: return
        case .header where pending.isEmpty && attributes.isEmpty: return
        case .header, .content, .attributes, .padding:
            throw Failure(description: "the archive ends in the middle of an entry")
        }
    }

    private mutating func advance(_ remaining: UInt64, _ padding: Int, _ events: inout [Event]) {
        if remaining > 0 {
            state = .content(remaining: remaining, padding: padding)
        } else {
            events.append(.entryEnd)
            state = padding > 0 ? .padding(padding) : .header
        }
    }

    // MARK: headers

    private mutating func takeHeader(_ block: [UInt8], _ events: inout [Event]) throws(Failure) {
        if block.allSatisfy({ $0 == 0 }) {
            emptyBlocks += 1
            if emptyBlocks == 2 { state = .over }
            return
        }
        guard emptyBlocks == 0 else { throw Failure(description: "an empty block within the archive") }
        guard try Self.number(block[148..<156]) == UInt64(TarBlock.checksum(block[...])) else {
            throw Failure(description: "no tar, or a broken one: a header's checksum is wrong")
        }
        let size = try Self.number(block[124..<136])
        switch block[156] {
        case UInt8(ascii: "x"), UInt8(ascii: "g"), UInt8(ascii: "L"), UInt8(ascii: "K"):
            guard size > 0, size <= UInt64(Self.extensionLimit) else {
                throw Failure(description: "a header of \(size) bytes")
            }
            extensionBytes = []
            state = .attributes(type: block[156], remaining: Int(size), padding: TarBlock.padding(size))
        default:
            let entry = try entry(block)
            attributes = [:]
            events.append(.entry(entry))
            // What is no file has no content, whatever its size says (pax, "size").
            advance(entry.sizeBytes, TarBlock.padding(entry.sizeBytes), &events)
        }
    }

    private func entry(_ block: [UInt8]) throws(Failure) -> TarEntry {
        var name = Self.text(block[0..<100])
        let isPOSIX = block[257..<263].elementsEqual([0x75, 0x73, 0x74, 0x61, 0x72, 0])
        if isPOSIX, block[345] != 0 { name = Self.text(block[345..<500]) + [UInt8(ascii: "/")] + name }
        if let path = attributes["path"] { name = path }
        let target = attributes["linkpath"] ?? Self.text(block[157..<257])
        guard !name.isEmpty, name.count <= Self.nameLimit, target.count <= Self.nameLimit else {
            throw Failure(description: "a name of \(name.isEmpty ? "no" : "too many") bytes")
        }
        guard !name.contains(0), !target.contains(0) else { throw Failure(description: "a name with a NUL byte") }
        let device = (
            major: try Self.id(Self.number(block[329..<337])), minor: try Self.id(Self.number(block[337..<345]))
        )
        let kind: TarEntry.Kind =
            switch block[156] {
            case UInt8(ascii: "0"), 0, UInt8(ascii: "7"):
                // Before POSIX a directory was a file with a slash.
                name.last == UInt8(ascii: "/") ? .directory : .file
            case UInt8(ascii: "1"): .hardLink(target: target)
            case UInt8(ascii: "2"): .symbolicLink(target: target)
            case UInt8(ascii: "3"): .characterDevice(major: device.major, minor: device.minor)
            case UInt8(ascii: "4"): .blockDevice(major: device.major, minor: device.minor)
            case UInt8(ascii: "5"): .directory
            case UInt8(ascii: "6"): .pipe
            default: throw Failure(description: "an entry of the unknown type \(block[156])")
            }
        if attributes.keys.contains(where: { $0.hasPrefix("GNU.sparse.") }) {
            throw Failure(description: "a sparse file")
        }
        let size = try number("size", block[124..<136])
        guard size <= Int64.max else { throw Failure(description: "a size out of range") }
        return TarEntry(
            name: name, kind: kind, mode: UInt32(truncatingIfNeeded: try Self.number(block[100..<108])) & 0o7777,
            uid: try Self.id(number("uid", block[108..<116])),
            gid: try Self.id(number("gid", block[116..<124])),
            sizeBytes: kind == .file ? size : 0, modifiedSeconds: try modified(block))
    }

    private func number(_ attribute: String, _ field: ArraySlice<UInt8>) throws(Failure) -> UInt64 {
        if let text = attributes[attribute] { return try Self.decimal(text) }
        return try Self.number(field)
    }

    /// Whole seconds; a fraction is dropped.
    private func modified(_ block: [UInt8]) throws(Failure) -> Int64 {
        guard let text = attributes["mtime"] else {
            return Int64(clamping: try Self.number(block[136..<148]))
        }
        let whole = String(decoding: text.prefix { $0 != UInt8(ascii: ".") }, as: UTF8.self)
        guard let seconds = Int64(whole) else { throw Failure(description: "a time that is none") }
        return seconds
    }

    private mutating func takeExtension(_ type: UInt8) throws(Failure) {
        let bytes = extensionBytes
        extensionBytes = []
        switch type {
        case UInt8(ascii: "L"): attributes["path"] = Array(bytes.prefix { $0 != 0 })
        case UInt8(ascii: "K"): attributes["linkpath"] = Array(bytes.prefix { $0 != 0 })
        // About all that follow: what it may say (comments, times) is of no use here.
        case UInt8(ascii: "g"): break
        default: try takeRecords(bytes[...])
        }
    }

    private mutating func takeRecords(_ bytes: ArraySlice<UInt8>) throws(Failure) {
        var rest = bytes
        while !rest.isEmpty {
            guard let space = rest.firstIndex(of: UInt8(ascii: " ")),
                let length = Int(String(decoding: rest[..<space], as: UTF8.self)), length > space - rest.startIndex + 1,
                length <= rest.count, rest[rest.startIndex + length - 1] == UInt8(ascii: "\n")
            else { throw Failure(description: "a broken pax header") }
            let record = rest[(space + 1)..<(rest.startIndex + length - 1)]
            guard let equals = record.firstIndex(of: UInt8(ascii: "=")) else {
                throw Failure(description: "a broken pax header")
            }
            attributes[String(decoding: record[..<equals], as: UTF8.self)] = Array(record[(equals + 1)...])
            rest = rest[(rest.startIndex + length)...]
        }
    }

    // MARK: numbers

    private static func text(_ field: ArraySlice<UInt8>) -> [UInt8] { Array(field.prefix { $0 != 0 }) }

    /// Octal, or as GNU tar writes large ones: base 256 with the first bit set.
    private static func number(_ field: ArraySlice<UInt8>) throws(Failure) -> UInt64 {
        if let first = field.first, first & 0x80 != 0 {
            let digits = field.dropFirst()
            guard first == 0x80, digits.dropLast(8).allSatisfy({ $0 == 0 }) else {
                throw Failure(description: "a number out of range")
            }
            return digits.suffix(8).reduce(0) { $0 << 8 | UInt64($1) }
        }
        let digits = field.drop { $0 == UInt8(ascii: " ") }.prefix { $0 != 0 && $0 != UInt8(ascii: " ") }
        if digits.isEmpty { return 0 }
        guard let number = UInt64(String(decoding: digits, as: UTF8.self), radix: 8) else {
            throw Failure(description: "no tar, or a broken one: a number that is none")
        }
        return number
    }

    private static func decimal(_ text: [UInt8]) throws(Failure) -> UInt64 {
        guard let number = UInt64(String(decoding: text, as: UTF8.self)) else {
            throw Failure(description: "a number that is none")
        }
        return number
    }

    private static func id(_ number: UInt64) throws(Failure) -> UInt32 {
        guard let id = UInt32(exactly: number) else { throw Failure(description: "an id out of range") }
        return id
    }
}
