import Logging
import NIOConcurrencyHelpers

/// What a logger was told.
final class LogLines: LogHandler {
    struct Line: Sendable {
        let level: Logger.Level
        let message: String
        let metadata: Logger.Metadata
    }

    private let kept = NIOLockedValueBox<[Line]>([])
    private let settings = NIOLockedValueBox((metadata: Logger.Metadata(), level: Logger.Level.error))

    var lines: [Line] { kept.withLockedValue { $0 } }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { settings.withLockedValue { $0.metadata[key] } }
        set { settings.withLockedValue { $0.metadata[key] = newValue } }
    }
    var metadata: Logger.Metadata {
        get { settings.withLockedValue { $0.metadata } }
        set { settings.withLockedValue { $0.metadata = newValue } }
    }
    var logLevel: Logger.Level {
        get { settings.withLockedValue { $0.level } }
        set { settings.withLockedValue { $0.level = newValue } }
    }

    func log(event: LogEvent) {
        kept.withLockedValue {
            $0.append(Line(level: event.level, message: "\(event.message)", metadata: event.metadata ?? [:]))
        }
    }
}
