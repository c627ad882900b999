import Foundation
import Testing

/// House rules that a compiler does not check.
struct RepositoryTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// What each target may import of this package: the arrows of the design.
    private static let arrows: [String: Set<String>] = [
        "DesiredState": [], "AzureClient": [], "AgentProtocol": ["CSHA256"], "CAgentSpawn": [], "CSHA256": [],
        "CInflate": [],
        "AgentLink": ["AgentProtocol"],
        "Controller": ["DesiredState", "AzureClient", "AgentProtocol", "AgentLink"],
        "APIServer": ["DesiredState", "AgentProtocol", "AgentLink", "CInflate"],
        "AzureSimulator": [],
        "RecordsClient": ["DesiredState"],
        "Daemon": [
            "DesiredState", "AzureClient", "AgentProtocol", "AgentLink", "Controller", "APIServer", "AzureSimulator",
        ],
        "Simulation": [
            "DesiredState", "AzureClient", "AgentProtocol", "AgentLink", "Controller", "AzureSimulator",
        ],
        "AgentRuntime": ["AgentProtocol", "CAgentSpawn"],
        "skls": ["Daemon", "RecordsClient", "DesiredState", "AzureSimulator"],
        "sockerless-backend-azf": ["Daemon"],
        "sockerless-frontend-docker": ["Daemon"],
        "skls-agent": ["AgentRuntime"],
    ]

    /// Targets whose code goes into every container: no Foundation.
    private static let withoutFoundation = ["AgentProtocol", "AgentRuntime", "skls-agent"]

    private static func swiftFiles(under folder: String) throws -> [(path: String, text: String)] {
        let base = root.appendingPathComponent(folder)
        guard let files = FileManager.default.enumerator(at: base, includingPropertiesForKeys: nil) else { return [] }
        return try files.compactMap { $0 as? URL }.filter { $0.pathExtension == "swift" }.map {
            (String($0.path.dropFirst(root.path.count + 1)), try String(contentsOf: $0, encoding: .utf8))
        }.sorted { $0.0 < $1.0 }
    }

    private static func imports(of text: String) -> Set<String> {
        Set(
            text.split(separator: "\n").compactMap { line in
                let words = line.split(separator: " ").filter { !$0.hasPrefix("@") && $0 != "package" }
                guard words.first == "import", words.count >= 2 else { return nil }
                return String(words[words.count - 1].split(separator: ".")[0])
            })
    }

    @Test func `targets import along the design's arrows only`() throws {
        let own = Set(RepositoryTests.arrows.keys)
        for (target, allowed) in RepositoryTests.arrows.sorted(by: { $0.key < $1.key }) {
            let files = try RepositoryTests.swiftFiles(under: "Sources/" + target)
            for file in files {
                let wrong = RepositoryTests.imports(of: file.text).intersection(own).subtracting(allowed)
                #expect(wrong.isEmpty, "\(file.path) imports \(wrong.sorted())")
            }
        }
        let folders = try FileManager.default.contentsOfDirectory(atPath: RepositoryTests.root.path + "/Sources")
        #expect(Set(folders) == own, "each target has its row of arrows")
    }

    @Test func `the planner knows no Foundation, clock, logger, async or throws`() throws {
        let files = try RepositoryTests.swiftFiles(under: "Sources/Controller/Planning")
        #expect(!files.isEmpty)
        for file in files {
            #expect(RepositoryTests.imports(of: file.text).isSubset(of: ["DesiredState"]), "\(file.path)")
            let code = file.text.split(separator: "\n").filter { !$0.drop { $0 == " " }.hasPrefix("//") }.joined(
                separator: "\n")
            for word in [" async", " throws", "await ", "Date(", "Clock()", ".random("] {
                #expect(!code.contains(word), "\(file.path) has \(word)")
            }
        }
    }

    @Test func `the agent knows no Foundation`() throws {
        for target in RepositoryTests.withoutFoundation {
            for file in try RepositoryTests.swiftFiles(under: "Sources/" + target) {
                let found = RepositoryTests.imports(of: file.text).filter { $0.hasPrefix("Foundation") }
                #expect(found.isEmpty, "\(file.path)")
            }
        }
    }

    @Test(arguments: ["CAgentSpawn", "CSHA256", "CInflate"])
    func `each C module is imported in one file`(module: String) throws {
        let importers = try RepositoryTests.swiftFiles(under: "Sources").filter {
            RepositoryTests.imports(of: $0.text).contains(module)
        }
        #expect(importers.count == 1, "\(importers.map(\.path))")
    }

    @Test func `what the house forbids does not stand in the sources`() throws {
        for file in try RepositoryTests.swiftFiles(under: "Sources") {
            for (number, line) in file.text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
                for word in ["try!", "fatalError(", "public func", "public struct", "Task.detached", "TODO", "FIXME"] {
                    #expect(!line.contains(word), "\(file.path):\(number + 1) has \(word)")
                }
            }
        }
    }

    @Test func `the README names commands that exist`() throws {
        let readme = try String(contentsOf: RepositoryTests.root.appendingPathComponent("README.md"), encoding: .utf8)
        let makefile = try String(contentsOf: RepositoryTests.root.appendingPathComponent("Makefile"), encoding: .utf8)
        let targets = makefile.split(separator: "\n").compactMap { line in
            line.first?.isLetter == true && line.contains(":") ? String(line.prefix { $0 != ":" }) : nil
        }
        let pattern = /make ([a-z]+)/
        let named = Set(readme.matches(of: pattern).map { String($0.1) })
        #expect(named.isSuperset(of: ["demo", "test", "bench", "format", "release"]))
        #expect(named.isSubset(of: Set(targets)), "\(named.subtracting(targets))")
        let ci = try String(contentsOf: RepositoryTests.root.appendingPathComponent(".ci/run"), encoding: .utf8)
        #expect(ci.contains("\nmake test\n"))
    }

    @Test func `each mutant is small, applies to the sources and stands in the table`() throws {
        let folder = RepositoryTests.root.appendingPathComponent("Tests/Mutants")
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            .filter { $0.pathExtension == "patch" }.sorted { $0.path < $1.path }
        #expect(files.count >= 12)
        var names: Set<String> = []
        for file in files {
            let name = file.deletingPathExtension().lastPathComponent
            names.insert(name)
            let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
            for mark in ["+", "-"] {
                let count = lines.count { $0.hasPrefix(mark) && !$0.hasPrefix(mark + mark) }
                #expect(count <= 3, "\(name) is more than a slip")
            }
            #expect(lines.first?.hasPrefix("diff ") == false, "\(name) does not begin with its fault in words")
            let git = Process()
            git.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            git.arguments = ["git", "apply", "--check", file.path]
            git.currentDirectoryURL = RepositoryTests.root
            try git.run()
            git.waitUntilExit()
            #expect(git.terminationStatus == 0, "\(name) does not apply")
        }
        let document = RepositoryTests.root.appendingPathComponent("docs/simulation.md")
        let text = try String(contentsOf: document, encoding: .utf8)
        let pattern = /(?m)^\| `([a-z-]+)` \| [^|]+ \| [a-z-]+ \| \d+ \|$/
        #expect(Set(text.matches(of: pattern).map { String($0.1) }) == names)
    }

    @Test func `links in the documents lead somewhere`() throws {
        let documents = ["README.md", "docs/ARCHITECTURE.md"]
        for document in documents {
            let url = RepositoryTests.root.appendingPathComponent(document)
            let text = try String(contentsOf: url, encoding: .utf8)
            for match in text.matches(of: /\]\(([^)#:]+)\)/) {
                let target = url.deletingLastPathComponent().appendingPathComponent(String(match.1))
                #expect(FileManager.default.fileExists(atPath: target.path), "\(document): \(match.1)")
            }
        }
    }
}
