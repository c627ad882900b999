import Foundation
import GRDBSQLite
import NIOConcurrencyHelpers

/// SQLite's own layer for files (sqlite.org/vfs.html), which tells a ``RecordedDisk`` of every write and sync in its folder.
/// It stands before the usual one as SQLite's default and lets other folders' files pass as they are.
enum RecordingFileSystem {
    /// A file that SQLite has open, and is recorded.
    private struct OpenFile {
        let disk: RecordedDisk
        let name: String
        /// Address of the usual layer's methods, which live as long as the process: one set for the database file, and
        /// one without locks for what stands beside it.
        let usualMethods: UInt

        var usual: sqlite3_io_methods? { UnsafePointer<sqlite3_io_methods>(bitPattern: usualMethods)?.pointee }
    }

    private struct Registry {
        /// By the path of the folder, with a slash at the end.
        var disks: [String: RecordedDisk] = [:]
        /// By the address of SQLite's open file.
        var open: [UInt: OpenFile] = [:]
        /// Addresses of the recording methods, by those of the usual ones that they stand before.
        var recordingMethods: [UInt: UInt] = [:]
    }

    private static let registry = NIOLockedValueBox(Registry())
    // Found once, before SQLite can call anything here, and never changed.
    nonisolated(unsafe) private static let usual: UnsafeMutablePointer<sqlite3_vfs>? = sqlite3_vfs_find(nil)

    /// Records the files of `folder` from now on.
    static func record(_ folder: String, on disk: RecordedDisk) {
        precondition(isRegistered, "SQLite takes another layer for files")
        registry.withLockedValue { $0.disks[folder + "/"] = disk }
    }

    static func forget(_ folder: String) {
        registry.withLockedValue { $0.disks[folder + "/"] = nil }
    }

    private static let isRegistered: Bool = {
        guard let usual else { return false }
        // SQLite keeps it as long as the process lives.
        let recording = UnsafeMutablePointer<sqlite3_vfs>.allocate(capacity: 1)
        recording.initialize(to: usual.pointee)
        recording.pointee.zName = UnsafePointer(strdup("recording"))
        recording.pointee.pNext = nil
        recording.pointee.xOpen = { _, path, file, flags, outFlags in
            RecordingFileSystem.open(path, file, flags, outFlags)
        }
        recording.pointee.xDelete = { _, path, isSynced in RecordingFileSystem.delete(path, isSynced) }
        return sqlite3_vfs_register(recording, 1) == SQLITE_OK
    }()

    private static func place(_ path: UnsafePointer<CChar>?) -> (disk: RecordedDisk, name: String)? {
        guard let path else { return nil }
        let text = String(cString: path)
        return registry.withLockedValue { registry in
            registry.disks.first { text.hasPrefix($0.key) }.map { ($0.value, String(text.dropFirst($0.key.count))) }
        }
    }

    private static func opened(_ file: UnsafeMutablePointer<sqlite3_file>?) -> OpenFile? {
        registry.withLockedValue { $0.open[UInt(bitPattern: file)] }
    }

    private static func open(
        _ path: UnsafePointer<CChar>?, _ file: UnsafeMutablePointer<sqlite3_file>?, _ flags: Int32,
        _ outFlags: UnsafeMutablePointer<Int32>?
    ) -> Int32 {
        guard let code = usual?.pointee.xOpen?(usual, path, file, flags, outFlags) else { return SQLITE_CANTOPEN }
        guard code == SQLITE_OK, let file, let found = place(path), let methods = file.pointee.pMethods else {
            return code
        }
        let address = UInt(bitPattern: methods)
        let recording = registry.withLockedValue { registry in
            registry.open[UInt(bitPattern: file)] = OpenFile(
                disk: found.disk, name: found.name, usualMethods: address)
            let known = registry.recordingMethods[address] ?? recordingMethods(before: methods.pointee)
            registry.recordingMethods[address] = known
            return known
        }
        file.pointee.pMethods = UnsafePointer(bitPattern: recording)
        return code
    }

    /// Address of methods that live as long as the process.
    private static func recordingMethods(before usual: sqlite3_io_methods) -> UInt {
        let methods = UnsafeMutablePointer<sqlite3_io_methods>.allocate(capacity: 1)
        methods.initialize(to: usual)
        methods.pointee.xWrite = { file, bytes, count, offset in
            guard let open = RecordingFileSystem.opened(file), let bytes else { return SQLITE_IOERR }
            let copy = Array(UnsafeRawBufferPointer(start: bytes, count: Int(count)))
            open.disk.change(open.name, .write(offset: Int(offset), bytes: copy))
            return open.usual?.xWrite(file, bytes, count, offset) ?? SQLITE_IOERR
        }
        methods.pointee.xTruncate = { file, size in
            guard let open = RecordingFileSystem.opened(file) else { return SQLITE_IOERR }
            open.disk.change(open.name, .truncate(size: Int(size)))
            return open.usual?.xTruncate(file, size) ?? SQLITE_IOERR
        }
        methods.pointee.xSync = { file, _ in
            guard let open = RecordingFileSystem.opened(file) else { return SQLITE_IOERR }
            // The recorded disk is the one that counts: the real one would only take its time.
            open.disk.sync(open.name)
            return SQLITE_OK
        }
        methods.pointee.xClose = { file in
            let open = RecordingFileSystem.registry.withLockedValue {
                $0.open.removeValue(forKey: UInt(bitPattern: file))
            }
            return open?.usual?.xClose(file) ?? SQLITE_IOERR
        }
        return UInt(bitPattern: methods)
    }

    private static func delete(_ path: UnsafePointer<CChar>?, _ isSynced: Int32) -> Int32 {
        if let (disk, name) = place(path) {
            disk.change(name, .remove)
            if isSynced != 0 { disk.sync(name) }
        }
        return usual?.pointee.xDelete?(usual, path, isSynced) ?? SQLITE_IOERR
    }
}
