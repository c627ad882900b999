import ArgumentParser
import DesiredState
import Foundation
import RecordsClient

struct Apply: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Declare records by manifests.",
        discussion: """
            Reads YAML files, folders of them (*.yaml, *.yml) or standard input (-). All files are checked first: if there is any \
            fault, all faults are printed and nothing is applied.

            Prints a line for each record: functionapp/NAME created, configured or unchanged.
            """)

    @Option(
        name: .shortAndLong, parsing: .singleValue,
        help: ArgumentHelp("A file, a folder, or - for standard input; may be repeated.", valueName: "path"))
    var filename: [String]

    @Flag(name: [.customShort("R"), .long], help: "Look into the folders of folders, too.")
    var recursive = false

    @OptionGroup var hostOptions: HostOptions

    func run() async throws {
        let manifests: [Manifest]
        do throws(FileFaults) {
            manifests = try ManifestFiles.read(filename, recursively: recursive)
        } catch {
            for fault in error.faults { Output.error(fault.description) }
            throw ExitCode(1)
        }
        if manifests.isEmpty {
            Output.error("no manifests in \(filename.joined(separator: ", "))")
            throw ExitCode(1)
        }
        let client = try hostOptions.client()
        for manifest in manifests {
            let (outcome, record) = try await client.apply(manifest)
            Output.result("functionapp/\(record.metadata.name) \(outcome.rawValue)\n")
        }
    }
}

/// All that is wrong with some files.
struct FileFaults: Error {
    let faults: [ManifestFault]
}

/// Manifests from files, in the order of the arguments and, in folders, of the names.
enum ManifestFiles {
    static func read(_ paths: [String], recursively: Bool) throws(FileFaults) -> [Manifest] {
        var manifests: [(manifest: Manifest, source: String)] = []
        var faults: [ManifestFault] = []
        for path in paths {
            do throws(FileFaults) {
                for file in try files(at: path, recursively: recursively) {
                    do throws(FileFaults) {
                        let source = file == "-" ? "standard input" : file
                        manifests += try parse(try text(of: file), source).map { ($0, source) }
                    } catch {
                        faults += error.faults
                    }
                }
            } catch {
                faults += error.faults
            }
        }
        var seen: [RecordName: String] = [:]
        for (manifest, source) in manifests {
            if let other = seen.updateValue(source, forKey: manifest.name), other != source {
                faults.append(
                    ManifestFault(
                        source: source, field: "metadata.name",
                        message: "\(manifest.name) is declared in \(other), too"))
            }
        }
        guard faults.isEmpty else { throw FileFaults(faults: faults) }
        return manifests.map(\.manifest)
    }

    private static func parse(_ text: String, _ source: String) throws(FileFaults) -> [Manifest] {
        do throws(ManifestFaults) {
            return try Manifest.parse(yaml: text, source: source)
        } catch {
            throw FileFaults(faults: error.faults)
        }
    }

    private static func files(at path: String, recursively: Bool) throws(FileFaults) -> [String] {
        guard path != "-" else { return ["-"] }
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
            throw FileFaults(faults: [ManifestFault(source: path, message: "no such file or folder")])
        }
        guard isDirectory.boolValue else { return [path] }
        let names: [String]
        do {
            names =
                recursively
                ? try FileManager.default.subpathsOfDirectory(atPath: path)
                : try FileManager.default.contentsOfDirectory(atPath: path)
        } catch {
            throw FileFaults(faults: [ManifestFault(source: path, message: "cannot be read: \(error.localizedDescription)")])
        }
        let folder = path.hasSuffix("/") ? path : path + "/"
        return names.filter { $0.hasSuffix(".yaml") || $0.hasSuffix(".yml") }.sorted().map { folder + $0 }
    }

    private static func text(of file: String) throws(FileFaults) -> String {
        do {
            guard file != "-" else {
                let data = try FileHandle.standardInput.read(upToCount: Manifest.maximumBytes + 1) ?? Data()
                return String(decoding: data, as: UTF8.self)
            }
            return try String(contentsOfFile: file, encoding: .utf8)
        } catch {
            throw FileFaults(faults: [ManifestFault(source: file, message: "cannot be read: \(error.localizedDescription)")])
        }
    }
}
