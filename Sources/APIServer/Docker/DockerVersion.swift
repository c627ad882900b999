/// A version of Docker's API, as in paths (`/v1.50/…`).
struct DockerVersion: Hashable, Sendable, Comparable, CustomStringConvertible {
    let major: Int
    let minor: Int

    /// What this server speaks. 1.51 is moby v28.5's; nothing that skls serves differs from 1.44 on.
    static let newest = DockerVersion(major: 1, minor: 51)
    /// As moby v28: clients of Docker 1.12 and later.
    static let oldest = DockerVersion(major: 1, minor: 24)

    init(major: Int, minor: Int) {
        self.major = major
        self.minor = minor
    }

    /// `nil` unless the segment is `v`, digits, a dot and digits.
    init?(segment: some StringProtocol) {
        guard segment.hasPrefix("v") else { return nil }
        let parts = segment.dropFirst().split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }),
            let major = Int(parts[0]), let minor = Int(parts[1])
        else { return nil }
        self.init(major: major, minor: minor)
    }

    /// Throws Docker's refusals (moby v28, `daemon/server/middleware/version.go`).
    func checkSupported() throws(DockerError) {
        if self > DockerVersion.newest {
            throw .badParameter(
                "client version \(self) is too new. Maximum supported API version is \(DockerVersion.newest)")
        }
        if self < DockerVersion.oldest {
            throw .badParameter(
                "client version \(self) is too old. Minimum supported API version is \(DockerVersion.oldest), please upgrade your client to a newer version"
            )
        }
    }

    var description: String { "\(major).\(minor)" }

    static func < (left: DockerVersion, right: DockerVersion) -> Bool {
        (left.major, left.minor) < (right.major, right.minor)
    }
}
