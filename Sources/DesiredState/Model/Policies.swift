/// A pause: who asked for it, and until when. In manifests and JSON `suspend: true` is a pause without particulars, and
/// `suspend: false` is none.
package struct Suspension: Hashable, Sendable, Codable {
    /// Who paused it; free text.
    package var by: String?
    /// The pause ends by itself at this time; `nil` = when somebody ends it.
    package var until: Instant?
    package var reason: String?

    package init(by: String? = nil, until: Instant? = nil, reason: String? = nil) {
        self.by = by
        self.until = until
        self.reason = reason
    }
}

/// Reads `true`, `false` (also as older releases wrote them) and the particulars.
struct SuspensionField: Decodable {
    let suspension: Suspension?

    init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        do {
            suspension = try value.decode(Bool.self) ? Suspension() : nil
        } catch DecodingError.typeMismatch {
            suspension = try value.decode(Suspension.self)
        }
    }
}

/// What is done about a site that somebody else changed.
package enum DriftPolicy: String, Hashable, Sendable, Codable, CaseIterable {
    /// It is written again, in the fields that we own.
    case repair = "Repair"
    /// It is only told, in the condition Drifted and in the drift history.
    case report = "Report"
}

/// What is done when a record asks for what cannot be changed on a site.
package enum ReplacementPolicy: String, Hashable, Sendable, Codable, CaseIterable {
    /// The record stalls and says so.
    case never = "Never"
    /// The site is deleted and made anew, once no run is open.
    case recreate = "Recreate"
}

/// What becomes of the site when its record is deleted.
package enum DeletionPolicy: String, Hashable, Sendable, Codable, CaseIterable {
    case delete = "Delete"
    /// It stays, without our tags: nobody's from then on.
    case orphan = "Orphan"
}

/// Whether a record may take over a site that is there already under its site's name.
package enum AdoptionPolicy: String, Hashable, Sendable, Codable, CaseIterable {
    case never = "Never"
    /// If it carries our tags with this record's uid, of whatever instance.
    case ifTagged = "IfTagged"
}
