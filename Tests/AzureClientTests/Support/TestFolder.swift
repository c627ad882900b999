import Foundation

/// A folder for the files of one test, which ends with it.
struct TestFolder {
    let path: String

    static func run<Value>(_ body: (TestFolder) async throws -> Value) async throws -> Value {
        let path = NSTemporaryDirectory() + "/skls-client-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        do {
            let value = try await body(TestFolder(path: path))
            try FileManager.default.removeItem(atPath: path)
            return value
        } catch {
            try FileManager.default.removeItem(atPath: path)
            throw error
        }
    }

    /// The path of a file with that text.
    func file(_ name: String, _ text: String) throws -> String {
        try text.write(toFile: "\(path)/\(name)", atomically: true, encoding: .utf8)
        return "\(path)/\(name)"
    }
}
