import Glibc

/// Reads the small files by which the kernel tells about itself.
enum ProcFiles {
    /// Nil for a file that is not there or may not be read. At most a megabyte.
    static func text(_ path: String) -> String? {
        bytes(path).map { String(decoding: $0, as: UTF8.self) }
    }

    static func bytes(_ path: String) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16384)
        while bytes.count < 1 << 20 {
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0 { return nil }
            if count == 0 { break }
            bytes += chunk[..<count]
        }
        return bytes
    }

    static func number(_ path: String) -> UInt64? {
        text(path).flatMap { UInt64($0.prefix { $0 != "\n" }) }
    }

    /// The ids of all processes, in order.
    static func processes() -> [Int] {
        let descriptor = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return [] }
        defer { close(descriptor) }
        return (Files.names(in: descriptor) ?? []).compactMap { Int(String(decoding: $0, as: UTF8.self)) }.sorted()
    }

    /// How many ticks of `/proc/PID/stat` a second has.
    static let ticksPerSecond = UInt64(max(sysconf(Int32(_SC_CLK_TCK)), 1))
}

/// What `/proc/PID/stat` says (proc(5)).
struct ProcessStat {
    let command: String
    /// From the third field, the state, on.
    private let fields: [Substring]

    init?(_ text: String) {
        // A command may have spaces and parentheses in it.
        guard let start = text.firstIndex(of: "("), let end = text.lastIndex(of: ")"), start < end else { return nil }
        command = String(text[text.index(after: start)..<end])
        fields = text[text.index(after: end)...].split(whereSeparator: { $0 == " " || $0 == "\n" })
        guard fields.count > 21 else { return nil }
    }

    var state: Substring { fields[0] }

    /// By the number that proc(5) gives it, from 4 on.
    func number(_ field: Int) -> Int64 {
        fields.indices.contains(field - 3) ? Int64(fields[field - 3]) ?? 0 : 0
    }
}
