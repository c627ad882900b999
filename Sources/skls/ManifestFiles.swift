import DesiredState
import Foundation

/// Manifests from files, in the order of the arguments and, in folders, of the names.
enum ManifestFiles {
    /// Throws every fault of every file, also those of files that cannot be read.
    static func read(_ paths: [String], recursively: Bool) throws(ManifestFaults) -> [Manifest] {
        var sources: [ManifestSource] = []
        var faults: [ManifestFault] = []
        for path in paths {
            do throws(ManifestFault) {
                for file in try files(at: path, recursively: recursively) {
                    do throws(ManifestFault) {
                        sources.append(try source(file))
                    } catch {
                        faults.append(error)
                    }
                }
            } catch {
                faults.append(error)
            }
        }
        do throws(ManifestFaults) {
            let manifests = try Manifest.parse(sources)
            guard faults.isEmpty else { throw ManifestFaults(faults: faults) }
            return manifests
        } catch {
            throw ManifestFaults(faults: faults == error.faults ? faults : faults + error.faults)
        }
    }

    private static func files(at path: String, recursively: Bool) throws(ManifestFault) -> [String] {
        guard path != "-" else { return ["-"] }
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
            throw ManifestFault(source: path, message: "no such file or folder")
        }
        guard isDirectory.boolValue else { return [path] }
        let names: [String]
        do {
            names =
                recursively
                ? try FileManager.default.subpathsOfDirectory(atPath: path)
                : try FileManager.default.contentsOfDirectory(atPath: path)
        } catch {
            throw ManifestFault(source: path, message: "cannot be read: \(error.localizedDescription)")
        }
        let folder = path.hasSuffix("/") ? path : path + "/"
        return names.filter { name in [".yaml", ".yml", ".json"].contains { name.hasSuffix($0) } }.sorted().map {
            folder + $0
        }
    }

    /// Reads one byte more than a manifest may have at most, so that a file without an end does no harm.
    private static func source(_ file: String) throws(ManifestFault) -> ManifestSource {
        let name = file == "-" ? "standard input" : file
        do {
            let handle =
                file == "-"
                ? FileHandle.standardInput : try FileHandle(forReadingFrom: URL(fileURLWithPath: file))
            var data = Data()
            while data.count <= Manifest.maximumBytes,
                let more = try handle.read(upToCount: Manifest.maximumBytes + 1 - data.count), !more.isEmpty
            {
                data += more
            }
            return ManifestSource(name: name, bytes: Array(data), isJSON: file.hasSuffix(".json"))
        } catch {
            throw ManifestFault(source: name, message: "cannot be read: \(error.localizedDescription)")
        }
    }
}
