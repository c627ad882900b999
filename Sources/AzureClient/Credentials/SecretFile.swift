import SystemPackage

/// Reads the small files that credentials are kept in.
enum SecretFile {
    /// A certificate with its chain and key takes some 10 KiB, a token less.
    static let mostBytes = 256 << 10

    /// The file's text.
    /// - Throws: `invalid` if it cannot be read, is too large or is not UTF-8. The message names the path, never content.
    static func read(_ path: String, for purpose: String) throws(AzureError) -> String {
        let bytes: [UInt8]
        do {
            let file = try FileDescriptor.open(FilePath(path), .readOnly, options: [.closeOnExec])
            bytes = try file.closeAfter {
                var bytes: [UInt8] = []
                var buffer = [UInt8](repeating: 0, count: 16 << 10)
                while bytes.count <= mostBytes {
                    let count = try buffer.withUnsafeMutableBytes { try file.read(into: $0) }
                    if count == 0 { break }
                    bytes += buffer[..<count]
                }
                return bytes
            }
        } catch {
            throw fault(path, "the \(purpose) cannot be read: \(error)")
        }
        guard bytes.count <= mostBytes else { throw fault(path, "the \(purpose) is larger than \(mostBytes) bytes") }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw fault(path, "the \(purpose) is not text")
        }
        return text
    }

    static func fault(_ path: String, _ message: String) -> AzureError {
        AzureError(code: .invalid, operation: .fetchToken, resource: path, message: message)
    }
}
