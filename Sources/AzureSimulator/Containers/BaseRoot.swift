import Glibc
import Subprocess
import SystemPackage

/// What an image's root file system consists of, and how to make a copy of it for one container.
///
/// A copy shares no inode with the image or with another copy: whatever a container does to its files stays there.
struct BaseRoot: Sendable {
    enum Entry: Sendable {
        case directory(mode: UInt32)
        case link(target: String)
        case file(mode: UInt32, Content)
    }

    enum Content: Sendable {
        case bytes([UInt8])
        /// Read at each copy: an image can be large.
        case path(String)
    }

    /// Paths without a leading slash; a directory stands before what is in it.
    private(set) var entries: [(path: String, entry: Entry)] = []

    /// Where the platform mounts things in every container.
    private static let mountPoints: [(path: String, entry: Entry)] = [
        ("dev", .directory(mode: 0o755)), ("proc", .directory(mode: 0o555)), ("sys", .directory(mode: 0o555)),
        ("home", .directory(mode: 0o755)), (".skls", .directory(mode: 0o755)), (".skls/run", .directory(mode: 0o755)),
        (".skls/agent", .file(mode: 0o755, .bytes([]))),
    ]

    // MARK: Sources

    /// The root of `alpine` and `busybox`: the machine's static busybox with a link for each of its commands.
    static func busybox(_ executable: String) async throws(SimulatorError) -> BaseRoot {
        let content = try read(executable)
        guard isStaticELF(content) else {
            throw SimulatorError(
                code: .busyboxMissing, message: "\(executable) is not a static executable: install busybox-static")
        }
        var root = BaseRoot()
        for folder in folders { root.entries.append((folder, .directory(mode: folder == "root" ? 0o700 : 0o755))) }
        for folder in ["tmp", "var/tmp"] { root.entries.append((folder, .directory(mode: 0o1777))) }
        root.entries.append(("bin/busybox", .file(mode: 0o755, .bytes(content))))
        for command in try await commands(of: executable) where command != "bin/busybox" {
            root.entries.append((command, .link(target: "/bin/busybox")))
        }
        let files = [
            ("passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n"),
            ("group", "root:x:0:root\nnobody:x:65534:\n"),
            ("hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost\n"),
            (
                "os-release",
                "NAME=\"Alpine Linux (simulated)\"\nID=alpine\nVERSION_ID=3.22.0\n"
                    + "PRETTY_NAME=\"Alpine-like root made from busybox\"\n"
            ),
        ]
        for (name, text) in files {
            root.entries.append(("etc/\(name)", .file(mode: 0o644, .bytes(Array(text.utf8)))))
        }
        return root.completed()
    }

    /// Alpine's, as its package alpine-baselayout makes them (3.22).
    private static let folders = [
        "bin", "etc", "lib", "media", "mnt", "opt", "root", "run", "sbin", "srv", "usr", "usr/bin", "usr/lib",
        "usr/local", "usr/local/bin", "usr/sbin", "usr/share", "var", "var/cache", "var/lib", "var/local", "var/log",
        "var/mail",
        "var/opt", "var/spool",
    ]

    /// The root in a folder. Devices, sockets and pipes are left out, and the set-user-id bit is dropped.
    static func folder(_ path: String) throws(SimulatorError) -> BaseRoot {
        var root = BaseRoot()
        var pending = [""]
        while let folder = pending.popLast() {
            guard let stream = opendir("\(path)/\(folder)") else {
                throw SimulatorError(
                    code: .imageRootUnreadable,
                    message: "cannot read the image root \(path)/\(folder): \(Errno(rawValue: errno).description)")
            }
            defer { closedir(stream) }
            while let next = readdir(stream) {
                let name = withUnsafePointer(to: &next.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                if name == "." || name == ".." { continue }
                let relative = folder.isEmpty ? name : "\(folder)/\(name)"
                guard let entry = try entry(at: "\(path)/\(relative)") else { continue }
                root.entries.append((relative, entry))
                if case .directory = entry { pending.append(relative) }
            }
        }
        return root.completed()
    }

    /// With another file in it.
    func adding(_ path: String, mode: UInt32, _ text: String) -> BaseRoot {
        var root = self
        root.entries.append((path, .file(mode: mode, .bytes(Array(text.utf8)))))
        return root
    }

    private static func entry(at path: String) throws(SimulatorError) -> Entry? {
        var status = stat()
        guard lstat(path, &status) == 0 else { throw .failed("read", path, errno: errno) }
        let mode = status.st_mode & 0o1777
        switch status.st_mode & S_IFMT {
        case S_IFDIR: return .directory(mode: mode)
        case S_IFREG: return .file(mode: mode, .path(path))
        case S_IFLNK:
            var buffer = [CChar](repeating: 0, count: 4_096)
            let count = readlink(path, &buffer, buffer.count)
            guard count >= 0 else { throw .failed("read", path, errno: errno) }
            return .link(target: String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self))
        default: return nil
        }
    }

    private func completed() -> BaseRoot {
        var root = self
        let present = Set(entries.map(\.path))
        root.entries += Self.mountPoints.filter { !present.contains($0.path) }
        return root
    }

    private static func commands(of executable: String) async throws(SimulatorError) -> [String] {
        let failure: String
        do {
            let result = try await Subprocess.run(
                .path(FilePath(executable)), arguments: ["--list-full"], output: .string(limit: 65_536))
            if result.terminationStatus.isSuccess {
                return result.standardOutput.split(separator: "\n").map(String.init)
            }
            failure = "it ended with \(result.terminationStatus)"
        } catch {
            failure = "\(error)"
        }
        throw SimulatorError(code: .busyboxMissing, message: "\(executable) --list-full failed: \(failure)")
    }

    /// An ELF file without a dynamic loader (no `PT_INTERP` program header).
    private static func isStaticELF(_ bytes: [UInt8]) -> Bool {
        guard bytes.count > 64, bytes.starts(with: [0x7F, 0x45, 0x4C, 0x46, 2, 1]) else { return false }
        func number(at offset: Int, bytes count: Int) -> Int {
            (0..<count).reversed().reduce(0) { $0 << 8 | Int(bytes[offset + $1]) }
        }
        let (table, size, count) = (number(at: 32, bytes: 4), number(at: 54, bytes: 2), number(at: 56, bytes: 2))
        guard table + size * count <= bytes.count else { return false }
        return !(0..<count).contains { number(at: table + size * $0, bytes: 4) == 3 }
    }

    private static func read(_ path: String) throws(SimulatorError) -> [UInt8] {
        do {
            let file = try FileDescriptor.open(path, .readOnly)
            defer { SystemCalls.close(file) }
            let size = Int(try file.seek(offset: 0, from: .end))
            try file.seek(offset: 0, from: .start)
            return try [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
                while count < size {
                    let read = try file.read(
                        into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[count...]))
                    if read == 0 { break }
                    count += read
                }
            }
        } catch {
            throw SimulatorError(
                code: .busyboxMissing, message: "cannot read \(path) (\(error)): install busybox-static")
        }
    }
}

// MARK: - Copies

extension BaseRoot {
    /// Makes a copy at `path`, which must not exist yet, owned by `owner`.
    func copy(to path: String, owner: FileOwner?) throws(SimulatorError) {
        try SystemCalls.makeDirectory(path, mode: 0o755, owner: owner)
        let root = try SystemCalls.openDirectory(path)
        defer { SystemCalls.close(root) }
        // Links to one target are names of one link: new inodes are what takes the time on ext4 (270 links: 80 ms as
        // inodes, 3 ms as names).
        var links: [String: String] = [:]
        // Modes of folders come last: one without write permission must still be filled.
        for (name, entry) in entries {
            switch entry {
            case .directory:
                guard mkdirat(root.rawValue, name, 0o700) == 0 else { throw .failed("create", name, errno: errno) }
            case .link(let target):
                if let first = links[target], linkat(root.rawValue, first, root.rawValue, name, 0) == 0 { continue }
                links[target] = name
                guard symlinkat(target, root.rawValue, name) == 0 else { throw .failed("create", name, errno: errno) }
            case .file(let mode, let content): try Self.copyFile(content, to: name, at: root.rawValue, mode: mode)
            }
            if let owner, fchownat(root.rawValue, name, owner.user, owner.group, AT_SYMLINK_NOFOLLOW) != 0 {
                throw .failed("change the owner of", name, errno: errno)
            }
        }
        for (name, entry) in entries.reversed() {
            guard case .directory(let mode) = entry, mode != 0o700 else { continue }
            guard fchmodat(root.rawValue, name, mode, 0) == 0 else {
                throw .failed("change the mode of", name, errno: errno)
            }
        }
    }

    /// Makes a new file; one that is there already is an error.
    static func copyFile(
        _ content: Content, to path: String, at folder: Int32 = AT_FDCWD, mode: UInt32
    ) throws(SimulatorError) {
        let raw = openat(folder, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard raw >= 0 else { throw .failed("create", path, errno: errno) }
        let file = FileDescriptor(rawValue: raw)
        defer { SystemCalls.close(file) }
        switch content {
        case .bytes(let bytes): try SystemCalls.write(bytes, to: file, path: path)
        case .path(let source): try copy(source, to: file)
        }
        guard fchmod(raw, mode) == 0 else { throw .failed("change the mode of", path, errno: errno) }
    }

    /// Shares blocks where the file system can (FICLONE), else copies in pieces of 1 MiB.
    private static func copy(_ source: String, to file: FileDescriptor) throws(SimulatorError) {
        let cloneRequest: UInt = 0x4004_9409  // FICLONE in linux/fs.h, a macro that Swift does not see
        do {
            let input = try FileDescriptor.open(source, .readOnly, options: [.closeOnExec])
            defer { SystemCalls.close(input) }
            if ioctl(file.rawValue, cloneRequest, input.rawValue) == 0 { return }
            try withUnsafeTemporaryAllocation(byteCount: 1 << 20, alignment: 16) { buffer in
                while case let count = try input.read(into: buffer), count > 0 {
                    try file.writeAll(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                }
            }
        } catch {
            throw .failed("copy", source, errno: (error as? Errno)?.rawValue ?? EIO)
        }
    }
}
