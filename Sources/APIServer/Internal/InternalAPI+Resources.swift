import DesiredState
import HTTPTypes
import HummingbirdCore
import Logging

/// What exists in Azure on behalf of this backend.
extension InternalAPI {
    /// Bound of deletions of one request: a mistake shows before it is complete.
    private static let maximumCleanups = 100
    /// Sockerless' default.
    private static let usualAge: Duration = .seconds(3600)

    /// `GET /resources`: the sites of all records, and without `active=true` also those of removed ones, for as long as their tombstones are kept.
    func resources(_ exchange: Exchange) async throws -> Response {
        let records = try await backend.store.list(includingDeleted: true).records
        var items = records.compactMap { record -> JSON? in
            guard let site = record.status.site else { return nil }
            return resource(
                container: record.uid.text, id: site.resourceID, createdAt: record.metadata.creationTimestamp,
                isCleanedUp: false, status: record.isBeingDeleted ? "deleting" : "active",
                metadata: ["name": record.metadata.name.text, "host": site.hostName])
        }
        if !exchange.query.flag("active") {
            items += try await backend.store.tombstones().map { tombstone in
                resource(
                    container: tombstone.uid.text, id: tombstone.siteName, createdAt: nil, isCleanedUp: true,
                    status: "deleted",
                    metadata: ["cleanedUpAt": tombstone.forgottenAt.rfc3339(fractionDigits: 0)])
            }
        }
        return .json(.array(items))
    }

    /// `GET /resources/orphaned?max_age=1h`: sites of ours that no record knows and that were first seen so long ago.
    func orphans(_ exchange: Exchange) async throws -> Response {
        let leaks = try await orphanedSites(exchange)
        return .json(
            .array(
                leaks.map { leak in
                    var metadata = ["lastSeenAt": leak.lastSeenAt.rfc3339(fractionDigits: 0)]
                    metadata["deletionDueAt"] = leak.deletionDueAt?.rfc3339(fractionDigits: 0)
                    return resource(
                        container: leak.uid?.text ?? "", id: leak.name, createdAt: leak.firstSeenAt,
                        isCleanedUp: false, status: leak.state.rawValue.lowercased(), metadata: metadata)
                }))
    }

    /// `POST /resources/cleanup?max_age=1h`: deletes these sites in Azure, each after a fresh look by the sweep's own rules. What could not be deleted is
    /// named beside the count; asking again is harmless.
    func cleanup(_ exchange: Exchange) async throws -> Response {
        var cleaned = 0
        var failed: [JSON] = []
        for leak in try await orphanedSites(exchange).prefix(InternalAPI.maximumCleanups) {
            do throws(LeakControlError) {
                try await backend.leaks.delete(site: leak.name)
                cleaned += 1
            } catch {
                guard error.code != .notFound else { continue }  // gone meanwhile, which is what was asked for
                failed.append(["resourceId": .string(leak.name), "error": .string(error.description)])
            }
        }
        exchange.logger.notice(
            "orphaned sites cleaned up", metadata: ["count": "\(cleaned)", "failed": "\(failed.count)"])
        let report: JSON = ["cleaned": .number(cleaned)]
        return .json(failed.isEmpty ? report : report.merging(["failed": .array(failed)]))
    }

    private func orphanedSites(_ exchange: Exchange) async throws -> [LeakReport.Leak] {
        var age = InternalAPI.usualAge
        if let text = exchange.query["max_age"], !text.isEmpty {
            guard let parsed = GoDuration.parse(text) else {
                throw DockerError.invalidParameter("max_age", "a duration such as 1h or 90m is expected, not \(text)")
            }
            age = parsed
        }
        let bound = backend.clock() + (.zero - age)
        return try await backend.leaks.leaks().items.filter { $0.kind == .site && $0.firstSeenAt <= bound }
    }

    private func resource(
        container: String, id: String, createdAt: Instant?, isCleanedUp: Bool, status: String,
        metadata: [String: String]
    ) -> JSON {
        [
            "containerId": .string(container), "backend": .string(BackendCapabilities.backend),
            "resourceType": "site", "resourceId": .string(id),
            "instanceId": .string(backend.store.instance.text),
            "createdAt": .string(createdAt?.rfc3339(fractionDigits: 0) ?? ContainerInspect.never),
            "cleanedUp": .bool(isCleanedUp), "status": .string(status), "metadata": .stringMap(metadata),
        ]
    }
}
