import AgentProtocol
import Glibc

/// What was changed on the root's file system since a time, piece by piece. It is used by one thread at a time.
///
/// Nothing was recorded at the start, so this goes by the times that the file system keeps: what was changed (`ctime`)
/// after the start is changed; it is taken for added if it was also made after the start in a directory whose entries
/// changed. A file system that copies what is written to (overlay) gives no better answer. What was deleted leaves no
/// trace but its directory, which is told as changed.
final class ChangeScan {
    private struct Level {
        let descriptor: Int32
        let path: [UInt8]
        let modified: Int64
        var names: [[UInt8]]
    }

    private var levels: [Level] = []
    private let since: Int64
    private let device: dev_t
    private static let pieceBytes = 64 << 10
    private static let stepEntries = 4096
    private static let depthLimit = 512
    /// Of the agent's own files, in the root.
    private static let ownFolder = Array(".skls".utf8)

    /// - Parameter sinceNanoseconds: by the container's wall clock.
    init(sinceNanoseconds: Int64) throws(FileFailure) {
        since = sinceNanoseconds
        let root = Array("/".utf8)
        let status = try PathStatus(root).status
        device = status.st_dev
        let descriptor = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileFailure(root, errno) }
        enter(descriptor, [], status)
    }

    deinit {
        for level in levels { close(level.descriptor) }
    }

    /// The next lines, maybe none; nil behind the last ones.
    func next() -> [UInt8]? {
        var lines: [UInt8] = []
        var visited = 0
        while lines.count < Self.pieceBytes, visited < Self.stepEntries {
            guard let level = levels.last else { return lines.isEmpty ? nil : lines }
            guard let name = level.names.last else {
                close(level.descriptor)
                levels.removeLast()
                continue
            }
            levels[levels.count - 1].names.removeLast()
            visited += 1
            visit(name, in: level, &lines)
        }
        return lines
    }

    private func visit(_ name: [UInt8], in level: Level, _ lines: inout [UInt8]) {
        if level.path.isEmpty, name == Self.ownFolder { return }
        guard let status = Files.status(level.descriptor, name), status.st_dev == device else { return }
        let path = level.path + [UInt8(ascii: "/")] + name
        if Self.nanoseconds(status.st_ctim) > since {
            let isNew =
                level.modified > since && (Native.birthNanoseconds(level.descriptor, name).map { $0 > since } ?? true)
            lines += Array("\(isNew ? "A" : "C") ".utf8)
            lines += PercentEncoding.encode(String(decoding: path, as: UTF8.self)).utf8
            lines.append(UInt8(ascii: "\n"))
        }
        guard status.st_mode & S_IFMT == S_IFDIR, levels.count < Self.depthLimit else { return }
        let descriptor = Native.withPath(name) {
            openat(level.descriptor, $0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        }
        if descriptor >= 0 { enter(descriptor, path, status) }
    }

    private func enter(_ descriptor: Int32, _ path: [UInt8], _ status: stat) {
        let names = Files.names(in: descriptor) ?? []
        levels.append(
            Level(
                descriptor: descriptor, path: path, modified: Self.nanoseconds(status.st_mtim), names: names.reversed())
        )
    }

    private static func nanoseconds(_ time: timespec) -> Int64 {
        Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }
}
