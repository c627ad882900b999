import Testing

@testable import AgentRuntime

@Suite struct TarTests {
    private func entry(
        _ name: String, _ kind: TarEntry.Kind = .file, size: UInt64 = 0, uid: UInt32 = 0,
        modified: Int64 = 1_700_000_000
    ) -> TarEntry {
        TarEntry(
            name: Array(name.utf8), kind: kind, mode: 0o4755, uid: uid, gid: 7, sizeBytes: size,
            modifiedSeconds: modified)
    }

    private func read(_ bytes: [UInt8], pieces: Int) throws(TarReader.Failure) -> [TarReader.Event] {
        var reader = TarReader()
        var events: [TarReader.Event] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            events += try reader.read(Array(rest.prefix(pieces)))
            rest = rest.dropFirst(pieces)
        }
        try reader.finish()
        return events
    }

    private func entries(_ bytes: [UInt8], pieces: Int = 65536) throws(TarReader.Failure) -> [TarEntry] {
        try read(bytes, pieces: pieces).compactMap { if case .entry(let entry) = $0 { entry } else { nil } }
    }

    @Test("entries come back as they were written, in pieces of any size", arguments: [1, 511, 512, 513, 100_000])
    func roundTrip(pieces: Int) throws {
        let long = String(repeating: "directory/", count: 30)
        let written: [TarEntry] = [
            entry("file", size: 700), entry("directory/", .directory), entry(long + "file", size: 512),
            entry("ünï/\u{1F40B}"), entry("link", .symbolicLink(target: Array("../somewhere".utf8))),
            entry("far", .symbolicLink(target: Array(long.utf8))), entry("hard", .hardLink(target: Array("file".utf8))),
            entry("pipe", .pipe), entry("null", .characterDevice(major: 1, minor: 3)),
            entry("disk", .blockDevice(major: 259, minor: 70000)), entry("rich", uid: .max),
            entry("old", modified: -5), entry(String(repeating: "x", count: 100)),
            entry(String(repeating: "y", count: 101)),
        ]
        var bytes: [UInt8] = []
        for entry in written {
            bytes += TarWriter.header(entry)
            bytes += [UInt8](repeating: 9, count: Int(entry.sizeBytes))
            bytes += [UInt8](repeating: 0, count: TarBlock.padding(entry.sizeBytes))
        }
        bytes += TarWriter.trailer
        #expect(bytes.count % TarBlock.bytes == 0)
        let events = try read(bytes, pieces: pieces)
        #expect(events.compactMap { if case .entry(let entry) = $0 { entry } else { nil } } == written)
        let content = events.reduce(0) { if case .content(let piece) = $1 { $0 + piece.count } else { $0 } }
        #expect(content == 1212)
        #expect(events.count { $0 == .entryEnd } == written.count)
        #expect(try entries(bytes + [1, 2, 3]) == written)
    }

    @Test("a size that no octal field holds is told by pax") func large() throws {
        let large = entry("large", size: 1 << 40)
        var reader = TarReader()
        let first = try reader.read(TarWriter.header(large)).first
        #expect(first == .entry(large))
        #expect(throws: TarReader.Failure.self) { try reader.finish() }
    }

    @Test("names of GNU tar and numbers in base 256 are understood") func gnu() throws {
        let name = [UInt8](repeating: 0x61, count: 200)
        var long = TarWriter.header(entry("././@LongLink", size: 201))
        long[156] = UInt8(ascii: "L")
        fix(&long)
        var file = TarWriter.header(entry("cut"))
        file.replaceSubrange(108..<116, with: [0x80, 0, 0, 0, 0, 0x2d, 0xc6, 0xc0])
        fix(&file)
        let read = try entries(
            long + name + [0] + [UInt8](repeating: 0, count: 311) + file + TarWriter.trailer)
        #expect(read.map(\.name) == [name])
        #expect(read.map(\.uid) == [3_000_000])
    }

    private func fix(_ block: inout [UInt8]) {
        let text = String(TarBlock.checksum(block[..<512]), radix: 8)
        block.replaceSubrange(148..<154, with: (String(repeating: "0", count: 6 - text.count) + text).utf8)
    }

    @Test("what is no tar, or not whole, is refused") func broken() {
        let whole = TarWriter.header(entry("file", size: 5)) + [1, 2, 3, 4, 5] + [UInt8](repeating: 0, count: 507)
        var checksum = whole
        checksum[0] ^= 1
        var kind = whole
        kind[156] = UInt8(ascii: "S")
        fix(&kind)
        let trailing = [UInt8](repeating: 0, count: 512) + whole
        let texts: [[UInt8]] = [
            checksum, kind, trailing, Array(whole.dropLast()), Array(whole.prefix(513)), Array(whole.prefix(100)),
            Array("\u{1f}\u{8b}this is compressed".utf8) + [UInt8](repeating: 1, count: 600),
        ]
        for bytes in texts {
            #expect(throws: TarReader.Failure.self) { try entries(bytes) }
        }
        // An archive without empty blocks at its end is whole all the same.
        #expect(throws: Never.self) { try entries(whole) }
    }

    @Test("a pax header that lies about its lengths is refused") func brokenPax() {
        for records in [
            "8 path=x\n", "11 path=x\n", "8 path=x", "path=x\n", "7 pathx\n", "12 size=-1\n ", "13 uid=1e99\n ",
        ] {
            var header = TarWriter.header(entry("PaxHeaders", size: UInt64(records.utf8.count)))
            header[156] = UInt8(ascii: "x")
            fix(&header)
            let padding = [UInt8](repeating: 0, count: 512 - records.utf8.count)
            let bytes = header + Array(records.utf8) + padding + TarWriter.header(entry("file"))
            #expect(throws: TarReader.Failure.self) { try entries(bytes) }
        }
    }
}
