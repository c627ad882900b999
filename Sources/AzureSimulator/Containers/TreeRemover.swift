import Glibc
import SystemPackage

/// Removes what a container left behind, whatever it is: folders without permissions, any depth, links to anywhere.
///
/// Nothing is reached through a link, and a tree of any depth needs two descriptors and no recursion: a folder that is
/// not empty is moved up beside the tree's top and emptied there in its turn.
enum TreeRemover {
    /// Removes the folder `name` in `parent`; one that is not there is no error.
    static func remove(_ name: String, in parent: String) throws(SimulatorError) {
        let top = try SystemCalls.openDirectory(parent)
        defer { SystemCalls.close(top) }
        var pending = [name]
        var moved = 0
        while let next = pending.popLast() {
            guard try openUp(next, in: top.rawValue) else { continue }
            let folder = try SystemCalls.openDirectory(next, at: top.rawValue)
            defer { SystemCalls.close(folder) }
            for entry in try entries(of: folder, path: next) {
                if unlinkat(folder.rawValue, entry, 0) == 0 || errno == ENOENT { continue }
                if unlinkat(folder.rawValue, entry, AT_REMOVEDIR) == 0 { continue }
                // A folder that is moved is written to (its ".."), so it has to be opened up first.
                guard try openUp(entry, in: folder.rawValue) else { continue }
                moved += 1
                let place = "\(name).\(moved)"
                guard renameat(folder.rawValue, entry, top.rawValue, place) == 0 else {
                    throw .failed("move away", entry, errno: errno)
                }
                pending.append(place)
            }
            guard unlinkat(top.rawValue, next, AT_REMOVEDIR) == 0 || errno == ENOENT else {
                throw .failed("remove", "\(parent)/\(next)", errno: errno)
            }
        }
    }

    /// Gives the owner all permissions on a folder; false if it is not there. The name can be no link: only folders
    /// that could not be unlinked come here, and their container is dead.
    private static func openUp(_ name: String, in parent: Int32) throws(SimulatorError) -> Bool {
        if fchmodat(parent, name, 0o700, 0) == 0 { return true }
        if errno == ENOENT { return false }
        throw .failed("change the mode of", name, errno: errno)
    }

    private static func entries(of folder: FileDescriptor, path: String) throws(SimulatorError) -> [String] {
        // The stream closes its own copy of the descriptor.
        guard let stream = fdopendir(dup(folder.rawValue)) else { throw .failed("read", path, errno: errno) }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }
}
