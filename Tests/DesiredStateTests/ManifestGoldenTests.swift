import DesiredState
import Foundation
import Testing

/// Broken manifests and exactly what is said about them: `Fixtures/Manifests/NAME.yaml` (or `.json`) with `NAME.txt` beside it.
///
/// With `SKLS_REWRITE_GOLDEN_TEXTS=1` in the environment the test writes the texts anew instead of comparing them; the change is then read as a
/// part of the commit.
struct ManifestGoldenTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("Fixtures/Manifests")
    private static let isRewriting = ProcessInfo.processInfo.environment["SKLS_REWRITE_GOLDEN_TEXTS"] == "1"

    private static let names: [String] = {
        // Without the folder the count below fails.
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return files.filter { $0.hasSuffix(".yaml") || $0.hasSuffix(".json") }.sorted()
    }()

    @Test func `there are many broken manifests`() {
        #expect(ManifestGoldenTests.names.count >= 50)
    }

    @Test(arguments: ManifestGoldenTests.names)
    func `a broken manifest is told in full`(name: String) throws {
        let file = ManifestGoldenTests.folder.appendingPathComponent(name)
        let golden = file.deletingPathExtension().appendingPathExtension("txt")
        let source = ManifestSource(
            name: name, bytes: Array(try Data(contentsOf: file)), isJSON: name.hasSuffix(".json"))
        var told = ""
        do throws(ManifestFaults) {
            _ = try Manifest.parse([source])
        } catch {
            told = error.description + "\n"
        }
        #expect(!told.isEmpty, "nothing is wrong with \(name)")
        if ManifestGoldenTests.isRewriting {
            try told.write(to: golden, atomically: true, encoding: .utf8)
        } else {
            #expect(told == (try String(contentsOf: golden, encoding: .utf8)))
        }
    }
}
