/// One entry of a tar, as far as a container's files need it. Names are bytes: the kernel wants no more of them.
struct TarEntry: Equatable {
    enum Kind: Equatable {
        case file
        case directory
        case symbolicLink(target: [UInt8])
        /// To an entry before this one.
        case hardLink(target: [UInt8])
        case pipe
        case characterDevice(major: UInt32, minor: UInt32)
        case blockDevice(major: UInt32, minor: UInt32)
    }

    var name: [UInt8]
    var kind: Kind
    /// The lower 12 bits.
    var mode: UInt32
    var uid: UInt32
    var gid: UInt32
    /// Of the content that follows; 0 for anything but a file.
    var sizeBytes: UInt64
    var modifiedSeconds: Int64
}

/// The layout of tar's blocks, common to reading and writing (POSIX.1-2017, pax, "ustar Interchange Format").
enum TarBlock {
    static let bytes = 512

    static func padding(_ size: UInt64) -> Int { Int((512 - size % 512) % 512) }

    /// The sum of a header's bytes, its own field taken as spaces.
    static func checksum(_ block: ArraySlice<UInt8>) -> Int {
        var sum = 8 * 32
        for (index, byte) in block.enumerated() where !(148..<156).contains(index) { sum += Int(byte) }
        return sum
    }
}

/// Writes entries as ustar, with a pax header before those that do not fit.
enum TarWriter {
    /// Two empty blocks.
    static let trailer = [UInt8](repeating: 0, count: 2 * TarBlock.bytes)

    /// Everything before the entry's content.
    static func header(_ entry: TarEntry) -> [UInt8] {
        var name = entry.name
        if entry.kind == .directory, name.last != UInt8(ascii: "/") { name.append(UInt8(ascii: "/")) }
        var target: [UInt8] = []
        switch entry.kind {
        case .symbolicLink(let text), .hardLink(let text): target = text
        case .file, .directory, .pipe, .characterDevice, .blockDevice: break
        }
        var records: [UInt8] = []
        if name.count > 100 || name.contains(where: { $0 >= 0x80 }) { records += record("path", name) }
        if target.count > 100 || target.contains(where: { $0 >= 0x80 }) { records += record("linkpath", target) }
        if entry.sizeBytes > largest(11) { records += record("size", Array(String(entry.sizeBytes).utf8)) }
        if UInt64(entry.uid) > largest(7) { records += record("uid", Array(String(entry.uid).utf8)) }
        if UInt64(entry.gid) > largest(7) { records += record("gid", Array(String(entry.gid).utf8)) }
        if entry.modifiedSeconds < 0 || UInt64(entry.modifiedSeconds) > largest(11) {
            records += record("mtime", Array(String(entry.modifiedSeconds).utf8))
        }
        var bytes: [UInt8] = []
        if !records.isEmpty {
            var pax = entry
            pax.sizeBytes = UInt64(records.count)
            bytes += block(pax, name: Array("PaxHeaders/entry".utf8), target: [], type: UInt8(ascii: "x"))
            bytes += records
            bytes += [UInt8](repeating: 0, count: TarBlock.padding(UInt64(records.count)))
        }
        return bytes + block(entry, name: name, target: target, type: type(entry.kind))
    }

    private static func type(_ kind: TarEntry.Kind) -> UInt8 {
        switch kind {
        case .file: UInt8(ascii: "0")
        case .hardLink: UInt8(ascii: "1")
        case .symbolicLink: UInt8(ascii: "2")
        case .characterDevice: UInt8(ascii: "3")
        case .blockDevice: UInt8(ascii: "4")
        case .directory: UInt8(ascii: "5")
        case .pipe: UInt8(ascii: "6")
        }
    }

    private static func block(_ entry: TarEntry, name: [UInt8], target: [UInt8], type: UInt8) -> [UInt8] {
        var block = [UInt8](repeating: 0, count: TarBlock.bytes)
        func put(_ bytes: some Collection<UInt8>, at offset: Int, limit: Int) {
            for (index, byte) in bytes.prefix(limit).enumerated() { block[offset + index] = byte }
        }
        func put(_ number: UInt64, at offset: Int, digits: Int) {
            let text = String(min(number, largest(digits)), radix: 8)
            put(String(repeating: "0", count: digits - text.utf8.count).utf8, at: offset, limit: digits)
            put(text.utf8, at: offset + digits - text.utf8.count, limit: digits)
        }
        put(name, at: 0, limit: 100)
        put(UInt64(entry.mode & 0o7777), at: 100, digits: 7)
        put(UInt64(entry.uid), at: 108, digits: 7)
        put(UInt64(entry.gid), at: 116, digits: 7)
        put(entry.sizeBytes, at: 124, digits: 11)
        put(UInt64(max(entry.modifiedSeconds, 0)), at: 136, digits: 11)
        block[156] = type
        put(target, at: 157, limit: 100)
        put("ustar".utf8, at: 257, limit: 5)
        put("00".utf8, at: 263, limit: 2)
        switch entry.kind {
        case .characterDevice(let major, let minor), .blockDevice(let major, let minor):
            put(UInt64(major), at: 329, digits: 7)
            put(UInt64(minor), at: 337, digits: 7)
        case .file, .directory, .symbolicLink, .hardLink, .pipe: break
        }
        put(UInt64(TarBlock.checksum(block[...])), at: 148, digits: 6)
        block[155] = UInt8(ascii: " ")
        return block
    }

    /// The largest number of so many octal digits.
    private static func largest(_ digits: Int) -> UInt64 { (1 << (3 * UInt64(digits))) - 1 }

    /// `LENGTH KEY=VALUE\n`, where the length counts itself.
    private static func record(_ key: String, _ value: [UInt8]) -> [UInt8] {
        let rest = key.utf8.count + value.count + 3
        var length = rest + 1
        while String(length).utf8.count + rest != length { length = String(length).utf8.count + rest }
        return Array("\(length) \(key)=".utf8) + value + [UInt8(ascii: "\n")]
    }
}
