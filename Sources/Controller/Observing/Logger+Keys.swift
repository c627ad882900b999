package import DesiredState
package import Logging

extension Logger.Metadata {
    /// Keys come from the one enum, so that all lines name the same thing alike.
    package init(_ facts: [LogKey: any CustomStringConvertible & Sendable]) {
        self = Dictionary(uniqueKeysWithValues: facts.map { ($0.key.rawValue, .string($0.value.description)) })
    }

    package subscript(key: LogKey) -> Logger.MetadataValue? {
        get { self[key.rawValue] }
        set { self[key.rawValue] = newValue }
    }
}
