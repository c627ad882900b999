/// The part of Azure that a request is for: by its host where that is one of Azure's names, by its path on loopback,
/// where all of Azure has one address. The raw value stands in the journal of requests.
enum Plane: String, Sendable {
    case resourceManager = "arm"
    /// Microsoft Entra ID.
    case login
    /// Instance metadata and the identity endpoint of App Service.
    case metadata
    case registry
    /// The query API of Log Analytics.
    case logs
    /// Where Application Insights takes telemetry.
    case ingestion
    /// The data planes of storage accounts.
    case storage
    /// The front end of the sites, with their `.scm.` hosts: whatever else was asked for.
    case site

    /// - Parameters:
    ///   - host: in lower case and without the port.
    ///   - path: without the query.
    init(host: String, path: String) {
        self = Self.isLoopback(host) ? Self.of(path: path) : Self.of(host: host)
    }

    /// The simulator's own address; a request without a host can mean nothing else.
    static func isLoopback(_ host: String) -> Bool {
        host.isEmpty || host == "localhost" || host == "::1" || host.hasPrefix("127.")
    }

    /// Hosts of the public cloud (azure-cli's cloud table, read 2026-11; go-azure-sdk's environments).
    static let names: [(host: String, plane: Plane)] = [
        ("management.azure.com", .resourceManager), ("management.core.windows.net", .resourceManager),
        ("login.microsoftonline.com", .login), ("login.microsoft.com", .login), ("login.windows.net", .login),
        ("sts.windows.net", .login), ("api.loganalytics.io", .logs), ("api.loganalytics.azure.com", .logs),
        ("dc.services.visualstudio.com", .ingestion),
    ]

    /// The link-local address of instance metadata (Azure docs, instance-metadata-service, read 2026-02).
    static let metadataAddress = "169.254.169.254"

    /// Ends of names that have an account or a region in front.
    static let suffixes: [(suffix: String, plane: Plane)] = [
        (".file.core.windows.net", .storage), (".blob.core.windows.net", .storage),
        (".queue.core.windows.net", .storage), (".table.core.windows.net", .storage),
        (".in.applicationinsights.azure.com", .ingestion),
    ]

    private static func of(host: String) -> Plane {
        if host == metadataAddress { return .metadata }
        if let name = names.first(where: { $0.host == host }) { return name.plane }
        return suffixes.first { host.hasSuffix($0.suffix) }?.plane ?? .site
    }

    private static func of(path: String) -> Plane {
        let segments = path.split(separator: "/").map { $0.lowercased() }
        guard let first = segments.first else { return .resourceManager }
        switch first {
        case "subscriptions", "providers", "tenants": return .resourceManager
        case "metadata": return segments.count > 1 && segments[1] == "endpoints" ? .resourceManager : .metadata
        case "msi": return .metadata
        case "v2.1": return .ingestion
        case "v2": return segments.count > 1 && segments[1] == "track" ? .ingestion : .registry
        case "v1": return .logs
        default: break
        }
        guard segments.count > 1 else { return .resourceManager }
        return ["oauth2", "v2.0", ".well-known", "discovery", "userrealm"].contains(segments[1])
            ? .login : .resourceManager
    }
}
