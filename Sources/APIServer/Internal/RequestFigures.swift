import DesiredState
import NIOConcurrencyHelpers

/// How often each route of the internal API was asked, and how long its answers took to begin.
final class RequestFigures: Sendable {
    /// Bound of samples per route, as Sockerless has it; the oldest gives way.
    static let maximumSamples = 1000

    struct Route: Hashable, Sendable {
        fileprivate(set) var count = 0
        /// In the order of a ring.
        fileprivate var samples: [Double] = []

        fileprivate mutating func add(_ milliseconds: Double) {
            if samples.count < RequestFigures.maximumSamples {
                samples.append(milliseconds)
            } else {
                samples[count % RequestFigures.maximumSamples] = milliseconds
            }
            count += 1
        }

        /// The smallest sample that at least so many percent do not exceed.
        func percentile(_ percent: Int) -> Double {
            let sorted = samples.sorted()
            guard !sorted.isEmpty else { return 0 }
            return sorted[max(0, (sorted.count * percent + 99) / 100 - 1)]
        }
    }

    /// Of the daemon.
    let startedAt: Instant
    private let routes = NIOLockedValueBox<[String: Route]>([:])

    init(startedAt: Instant) {
        self.startedAt = startedAt
    }

    /// `route`: method and path with its variables' names, so that there are as many as the table has.
    func add(_ route: String, milliseconds: Double) {
        routes.withLockedValue { $0[route, default: Route()].add(milliseconds) }
    }

    var all: [(route: String, figures: Route)] {
        routes.withLockedValue { $0 }.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }
}
