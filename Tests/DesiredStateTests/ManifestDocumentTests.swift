import DesiredState
import Foundation
import Testing

/// What is written about manifests, compared with what is read.
struct ManifestDocumentTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    @Test func `the document describes exactly the fields that are read`() throws {
        let text = try String(
            contentsOf: ManifestDocumentTests.root.appendingPathComponent("docs/manifests.md"), encoding: .utf8)
        let table = text.split(separator: "## Fields")[1].split(separator: "## ")[0]
        let rows = table.matches(of: /\n\| `([A-Za-z.\[\]]+)` \| ([^|]+) \|/)
        let described = rows.map { String($0.1) }
        #expect(described.sorted() == ManifestKeys.fields)
        #expect(Set(described).count == described.count)
        #expect(rows.allSatisfy { !$0.2.allSatisfy(\.isWhitespace) }, "each has its type")
    }

    @Test func `all examples are read, together`() throws {
        let folder = ManifestDocumentTests.root.appendingPathComponent("manifests")
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter {
            $0.hasSuffix(".yaml")
        }.sorted()
        let sources = try names.map { name in
            ManifestSource(name: name, bytes: Array(try Data(contentsOf: folder.appendingPathComponent(name))))
        }
        #expect(try Manifest.parse(sources).count >= 2)
    }
}
