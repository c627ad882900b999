import Crypto
import Foundation

/// What applying a manifest would do, told before it is done.
package struct ApplyPlan: Hashable, Sendable, Codable {
    package enum Outcome: String, Hashable, Sendable, Codable {
        case created, configured, unchanged
    }

    package var name: RecordName
    package var outcome: Outcome
    /// What is to be done moves when this does; `nil` for a record that is not there yet.
    package var resourceVersion: Revision?
    /// In order of paths; empty if and only if the record stays as it is.
    package var changes: [FieldChange]
    /// What the controller would do next, if all goes well.
    package var actions: [PlannedAction]
    package var digest: PlanDigest

    package init(
        name: RecordName, outcome: Outcome, resourceVersion: Revision?, changes: [FieldChange],
        actions: [PlannedAction], digest: PlanDigest
    ) {
        self.name = name
        self.outcome = outcome
        self.resourceVersion = resourceVersion
        self.changes = changes
        self.actions = actions
        self.digest = digest
    }
}

/// One thing that the controller would do.
package struct PlannedAction: Hashable, Sendable, Codable {
    /// Name of the rule that decides it.
    package var rule: String
    /// A phrase for people, such as `write the site`.
    package var text: String
    /// Fields of the site that are written with other values than before; empty where that means nothing.
    package var fields: [String]

    package init(rule: String, text: String, fields: [String] = []) {
        self.rule = rule
        self.text = text
        self.fields = fields
    }
}

/// Names a plan: three hashes of 64 bits, so that a plan that moved can say what did. They guard against accidents, not
/// against people: who may apply may do anything.
package struct PlanDigest: Hashable, Sendable, TextCodable, CustomStringConvertible {
    /// Of the record's uid and revision, or its absence.
    package let record: String
    /// Of what the manifest says, however it is written.
    package let manifest: String
    /// Of what the controller would do.
    package let actions: String

    package init(of record: FunctionApp?, _ manifest: Manifest, _ actions: [PlannedAction]) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        self.record = PlanDigest.hash([record.map { "\($0.uid) \($0.metadata.resourceVersion)" } ?? "absent"])
        self.manifest = PlanDigest.hash([
            manifest.name.text, String(decoding: try encoder.encode(manifest.labels), as: UTF8.self),
            String(decoding: try encoder.encode(manifest.annotations), as: UTF8.self),
            String(decoding: try encoder.encode(manifest.spec), as: UTF8.self),
        ])
        self.actions = PlanDigest.hash([String(decoding: try encoder.encode(actions), as: UTF8.self)])
    }

    /// Of several records in this order. That of one record is its own.
    package init?(combining digests: [PlanDigest]) {
        guard let first = digests.first else { return nil }
        guard digests.count > 1 else {
            self = first
            return
        }
        record = PlanDigest.hash(digests.map(\.record))
        manifest = PlanDigest.hash(digests.map(\.manifest))
        actions = PlanDigest.hash(digests.map(\.actions))
    }

    /// As ``codedText`` writes it; else `nil`.
    package init?(codedText: String) {
        let parts = codedText.split(separator: "-", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 3,
            parts.allSatisfy({ $0.utf8.count == 16 && $0.allSatisfy { $0.isHexDigit && !$0.isUppercase } })
        else { return nil }
        (record, manifest, actions) = (parts[0], parts[1], parts[2])
    }

    package var codedText: String { "\(record)-\(manifest)-\(actions)" }
    package var description: String { codedText }

    /// What has moved since `earlier`, as phrases for people; empty when nothing has.
    package func moved(since earlier: PlanDigest) -> [String] {
        var phrases: [String] = []
        if record != earlier.record { phrases.append("the stored record was changed") }
        if manifest != earlier.manifest { phrases.append("the manifest says something else") }
        if actions != earlier.actions { phrases.append("the controller would do something else now") }
        return phrases
    }

    /// Lengths in front, so that no two lists read the same.
    private static func hash(_ parts: [String]) -> String {
        let text = parts.map { "\($0.utf8.count):\($0)" }.joined()
        return SHA256.hash(data: Data(text.utf8)).prefix(8).map { byte in
            (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
    }
}
