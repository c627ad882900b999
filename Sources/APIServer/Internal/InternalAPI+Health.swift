import DesiredState
import Foundation
import Glibc
import HTTPTypes
import HummingbirdCore

extension InternalAPI {
    private var uptimeSeconds: JSON { .number((backend.clock() - figures.startedAt).components.seconds) }

    /// The process answers; nothing else is asked.
    func health() -> Response {
        .json(["status": "ok", "component": "backend", "uptime_seconds": uptimeSeconds])
    }

    func status() async throws -> Response {
        let records = try await backend.store.list(includingDeleted: false).records
        return .json([
            "status": .string(backend.readiness.failures().isEmpty ? "ok" : "degraded"), "component": "backend",
            "backend_type": .string(BackendCapabilities.backend),
            "instance_id": .string(backend.store.instance.text), "uptime_seconds": uptimeSeconds,
            "containers": .number(records.count),
            "active_resources": .number(records.count { $0.status.site != nil }), "context": "",
        ])
    }

    /// Newest first.
    func summary() async throws -> Response {
        let records = try await backend.store.list(includingDeleted: false).records
        return .json(
            .array(
                records.reversed().map { record in
                    [
                        "id": .string(record.uid.text), "name": .string(record.metadata.name.text),
                        "image": .string(record.spec.image.text),
                        "state": .string(ContainerState(record).status.rawValue),
                        "created": .string(record.metadata.creationTimestamp.rfc3339(fractionDigits: 9)),
                    ]
                }))
    }

    /// Counts and times of this API's own routes, and figures of the process. `goroutines`: its threads, and `heap_alloc_mb`: its resident memory, the
    /// nearest that there is.
    func metrics() async throws -> Response {
        let records = try await backend.store.list(includingDeleted: false).records
        let routes = figures.all
        let counts = routes.map { JSON.Member(name: $0.route, value: .number($0.figures.count)) }
        let times = routes.map { route, figures -> JSON.Member in
            let percentiles: JSON = [
                "p50": decimal(figures.percentile(50)), "p95": decimal(figures.percentile(95)),
                "p99": decimal(figures.percentile(99)),
            ]
            return JSON.Member(name: route, value: percentiles)
        }
        // Where /proc is restricted these figures are missing. The second field is what is resident, in pages (proc(5)).
        let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count) ?? 0
        let pages = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ")
            .dropFirst().first.flatMap { Double($0) }
        let resident = (pages ?? 0) * Double(sysconf(Int32(_SC_PAGESIZE)))
        return .json([
            "requests": .object(counts), "latency_ms": .object(times), "goroutines": .number(threads),
            "heap_alloc_mb": decimal(resident / 1_048_576), "uptime_seconds": uptimeSeconds,
            "containers": .number(records.count),
            "active_resources": .number(records.count { $0.status.site != nil }),
        ])
    }

    private func decimal(_ value: Double) -> JSON {
        .number(String((value * 1000).rounded() / 1000))
    }

    /// What has to work for the backend to do its work; asks nobody but the parts of this process.
    func check() async -> Response {
        var checks: [JSON] = []
        do {
            let freeze = try await backend.store.freeze()
            checks.append(["name": "store", "status": "ok"])
            checks.append(
                freeze.map {
                    ["name": "writes", "status": "error", "detail": .string("frozen: \($0.reason)")]
                } ?? ["name": "writes", "status": "ok"])
        } catch {
            checks.append(["name": "store", "status": "error", "detail": .string("\(error)")])
        }
        let failures = backend.readiness.failures()
        checks.append(
            failures.isEmpty
                ? ["name": "azure", "status": "ok"]
                : ["name": "azure", "status": "error", "detail": .string(failures.joined(separator: "; "))])
        return .json(["checks": .array(checks)])
    }
}
