/// One declared Function App: what should exist and run (`spec`), and what was observed of it (`status`).
///
/// Kubernetes conventions: `metadata.generation` rises with every change of `spec`, `metadata.resourceVersion` with every write, and
/// `status.observedGeneration` says which generation the conditions speak of.
package struct FunctionApp: Hashable, Sendable {
    package static let apiVersion = "skls.dev/v1"
    package static let kind = "FunctionApp"

    package var metadata: Metadata
    package var spec: FunctionAppSpec
    package var status: FunctionAppStatus

    package init(metadata: Metadata, spec: FunctionAppSpec, status: FunctionAppStatus = FunctionAppStatus()) {
        self.metadata = metadata
        self.spec = spec
        self.status = status
    }

    package var uid: UID { metadata.uid }
    package var isBeingDeleted: Bool { metadata.deletionTimestamp != nil }
}

package struct Metadata: Hashable, Sendable, Codable {
    package var name: RecordName
    package var uid: UID
    package var labels: [String: String]
    /// Free text by key. Keys of ours start with `skls.dev/` or `docker.skls.dev/`.
    package var annotations: [String: String]
    package var generation: Int64
    /// Set by the store at each write.
    package var resourceVersion: Revision
    package var creationTimestamp: Instant
    /// Set once, by a delete; from then on the name is free and the controller works the finalizers off.
    package var deletionTimestamp: Instant?
    /// What must be done before the record may be forgotten, in this order.
    package var finalizers: [Finalizer]

    package init(
        name: RecordName, uid: UID, labels: [String: String] = [:], annotations: [String: String] = [:],
        generation: Int64 = 1, resourceVersion: Revision = .zero, creationTimestamp: Instant,
        deletionTimestamp: Instant? = nil, finalizers: [Finalizer] = Finalizer.allCases
    ) {
        self.name = name
        self.uid = uid
        self.labels = labels
        self.annotations = annotations
        self.generation = generation
        self.resourceVersion = resourceVersion
        self.creationTimestamp = creationTimestamp
        self.deletionTimestamp = deletionTimestamp
        self.finalizers = finalizers
    }
}

/// What stands between a deletion timestamp and the record's end.
package enum Finalizer: String, Hashable, Sendable, Codable, CaseIterable {
    /// An open run is ended and its output drained.
    case endRun = "skls.dev/end-run"
    /// The site is deleted and was seen gone.
    case deleteSite = "skls.dev/delete-site"
}

extension FunctionApp: Codable {
    private enum CodingKeys: String, CodingKey {
        case apiVersion, kind, metadata, spec, status
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        metadata = try container.decode(Metadata.self, forKey: .metadata)
        spec = try container.decode(FunctionAppSpec.self, forKey: .spec)
        status = try container.decodeIfPresent(FunctionAppStatus.self, forKey: .status) ?? FunctionAppStatus()
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(FunctionApp.apiVersion, forKey: .apiVersion)
        try container.encode(FunctionApp.kind, forKey: .kind)
        try container.encode(metadata, forKey: .metadata)
        try container.encode(spec, forKey: .spec)
        try container.encode(status, forKey: .status)
    }
}
