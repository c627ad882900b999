/// What ``Doctor`` found, in the order of its questions.
package struct DoctorReport: Encodable, Sendable {
    package struct Check: Encodable, Sendable, Hashable {
        package enum Status: String, Encodable, Sendable {
            case ok
            case failed
            /// Worth knowing, and nothing to be mended.
            case note
            /// Not looked at, because something before it failed.
            case skipped
        }

        package let name: String
        package let status: Status
        package let detail: String
        /// What to do about a failure.
        package let advice: String?
    }

    package private(set) var checks: [Check] = []
    package var isHealthy: Bool { !checks.contains { $0.status == .failed } }

    private enum CodingKeys: String, CodingKey {
        case isHealthy = "healthy"
        case checks
    }

    package func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: CodingKeys.self)
        try fields.encode(isHealthy, forKey: .isHealthy)
        try fields.encode(checks, forKey: .checks)
    }

    mutating func ok(_ name: String, _ detail: String) { add(name, .ok, detail) }
    mutating func note(_ name: String, _ detail: String) { add(name, .note, detail) }
    mutating func skipped(_ name: String, _ detail: String) { add(name, .skipped, detail) }
    mutating func failed(_ name: String, _ detail: String, advice: String) { add(name, .failed, detail, advice) }

    private mutating func add(_ name: String, _ status: Check.Status, _ detail: String, _ advice: String? = nil) {
        checks.append(Check(name: name, status: status, detail: detail, advice: advice))
    }
}
