/// A record's events for people: those alike as one, in the order of their newest occurrence.
package struct EventList: Hashable, Sendable, Codable {
    package struct Event: Hashable, Sendable, Codable {
        /// `Normal` or `Warning`, as in Kubernetes.
        package var type: String
        package var reason: String
        package var message: String
        package var count: Int
        package var firstTimestamp: Instant
        package var lastTimestamp: Instant
    }

    package var apiVersion = FunctionApp.apiVersion
    package var kind = "EventList"
    package var items: [Event]

    package init(_ journal: [JournalEntry]) {
        items = []
        for entry in journal where entry.kind == .event {
            let type = entry.isWarning ? "Warning" : "Normal"
            if let place = items.firstIndex(where: {
                $0.reason == entry.name && $0.message == entry.message && $0.type == type
            }) {
                var known = items.remove(at: place)
                known.count += entry.count
                known.lastTimestamp = max(known.lastTimestamp, entry.at)
                items.append(known)
            } else {
                items.append(
                    Event(
                        type: type, reason: entry.name, message: entry.message, count: entry.count,
                        firstTimestamp: entry.at, lastTimestamp: entry.at))
            }
        }
    }
}
