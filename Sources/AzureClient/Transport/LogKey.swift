import Logging

/// The names of what log lines of this target carry.
enum LogKey: String {
    case operation
    case resource
    case method
    case status
    case failure
    case durationMilliseconds = "duration_ms"
    case correlationID = "correlation_id"
    case requestID = "request_id"
    case remaining
}

extension Logger.Metadata {
    init(_ pairs: [(LogKey, String?)]) {
        self.init(uniqueKeysWithValues: pairs.compactMap { key, value in value.map { (key.rawValue, .string($0)) } })
    }
}
