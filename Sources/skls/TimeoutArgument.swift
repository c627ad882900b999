import ArgumentParser
import DesiredState

/// A time span as people write it: `30s`, `5m`, `1h`, `1h30m`, `2d`, `500ms`.
struct TimeoutArgument: ExpressibleByArgument, CustomStringConvertible {
    let duration: Duration
    let description: String

    static let thirtySeconds = TimeoutArgument(.seconds(30), "30s")
    static let fiveMinutes = TimeoutArgument(.seconds(300), "5m")

    private init(_ duration: Duration, _ description: String) {
        self.duration = duration
        self.description = description
    }

    init?(argument: String) {
        guard let duration = Duration(spokenText: argument) else { return nil }
        self.init(duration, argument)
    }

    var defaultValueDescription: String { description }
}
