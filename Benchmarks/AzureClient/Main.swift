import AzureClient
import FoundationEssentials
import Logging

#if canImport(Glibc)
    import Glibc
#endif

/// Measures the client against a running simulator, whose variables it finds in its environment, and prints figures.
/// `scripts/bench` starts both; nothing is judged here.
@main
struct AzureClientBenchmark {
    static let sites = 10_000
    static let pageSites = 1_000

    static func main() async throws {
        let clients = HTTPClients()
        let bench = try Benchmark(clients)
        try await bench.tokens()
        try await bench.lists()
        try await clients.shutdown()
    }
}

/// The client and what it needs to know of its simulator.
struct Benchmark {
    private let client: AzureClient
    private let cache: TokenCache
    private let scope: TokenScope
    private let plan: ResourceID
    private let location: String

    /// A variable of the environment that is not set.
    struct Missing: Error {
        let name: String
    }

    init(_ clients: HTTPClients) throws {
        func variable(_ name: String) throws -> String {
            guard let value = getenv(name) else { throw Missing(name: name) }
            return String(cString: value)
        }
        let transport = AzureTransport(
            clients: clients, userAgent: "skls-benchmark",
            logger: Logger(label: "benchmark") { _ in SwiftLogNoOpLogHandler() })
        let environment = try AzureEnvironment(
            resourceManager: try variable("SKLS_AZURE_ENDPOINT"), authority: try variable("AZURE_AUTHORITY_HOST"),
            audience: "https://management.azure.com")
        let credential = ClientSecretCredential(
            environment: environment, tenant: try variable("AZURE_TENANT_ID"),
            clientID: try variable("AZURE_CLIENT_ID"), secret: Secret(try variable("AZURE_CLIENT_SECRET")),
            transport: transport)
        let group = try AzureScope(
            subscriptionID: try variable("AZURE_SUBSCRIPTION_ID"), resourceGroup: try variable("SKLS_RESOURCE_GROUP"))
        // A Consumption plan takes containers and never starts them, so that nothing runs beside the measurement.
        guard let plan = ResourceID("\(group.group)/providers/Microsoft.Web/serverfarms/consumption") else {
            throw Missing(name: "SKLS_RESOURCE_GROUP")
        }
        self.plan = plan
        location = try variable("SKLS_LOCATION")
        client = AzureClient(
            environment: environment, scope: group, credential: credential, transport: transport, rates: .unlimited)
        cache = TokenCache(credential: credential, now: AzureClock.system.now)
        scope = environment.scope
    }

    private var correlation: CorrelationID { CorrelationID(AzureTransport.randomID()) }

    /// Calls that find their token in the cache.
    func tokens() async throws {
        let correlation = correlation
        _ = try await cache.token(scope, correlationID: correlation)
        for tasks in [1, 32] {
            let calls = 200_000 / tasks
            let time = try await ContinuousClock().measure {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<tasks {
                        group.addTask {
                            for _ in 0..<calls { _ = try await cache.token(scope, correlationID: correlation) }
                        }
                    }
                    try await group.waitForAll()
                }
            }
            let rate = Double(tasks * calls) / seconds(time)
            report("token from the cache, \(tasks) tasks", "\(Int(rate / 1000)) thousand calls/s")
        }
    }

    /// A page, a long list, and the memory that the list takes.
    func lists() async throws {
        try await fill()
        let sample = try await client.getSite(try name(0), correlationID: correlation)
        if let document = try sample.map({ try JSONEncoder().encode(Listed(of: $0)) }) {
            let page =
                Array("{\"value\":[".utf8)
                + Array(
                    Array(repeating: Array(document), count: AzureClientBenchmark.pageSites).joined(separator: [44]))
                + Array("]}".utf8)
            var times: [Double] = []
            for _ in 0..<15 {
                let time = try ContinuousClock().measure { _ = try JSONValue(parsing: page) }
                times.append(seconds(time))
            }
            let median = times.sorted()[times.count / 2]
            report(
                "parse of a page of 1,000 sites", milliseconds(median),
                "\(page.count / 1000) kB, \(Int(Double(page.count) / median / 1e6)) MB/s")
        }
        var times: [Double] = []
        var count = 0
        let before = residentMegabytes("VmRSS")
        resetPeak()
        for _ in 0..<3 {
            let time = try await ContinuousClock().measure {
                count = try await client.listSites(correlationID: correlation).count
            }
            times.append(seconds(time))
        }
        report("list of \(count) sites, 100 a page", milliseconds(times.sorted()[1]))
        report("memory while listing, above before", "\(Int(residentMegabytes("VmHWM") - before)) MB")
    }

    private func name(_ number: Int) throws -> SiteName {
        guard let name = SiteName(rawValue: "bench-\(number)") else { throw Missing(name: "name") }
        return name
    }

    private func fill() async throws {
        let plan = plan
        let time = try await ContinuousClock().measure {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for task in 0..<16 {
                    group.addTask {
                        for number in stride(from: task, to: AzureClientBenchmark.sites, by: 16) {
                            let request = SiteRequest(
                                location: location, tags: ["managed-by": "skls", "skls-uid": "\(number)"],
                                image: "alpine:3", appSettings: [], hosting: .plan(plan))
                            _ = try await client.putSite(
                                try name(number), request, correlationID: correlation)
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
        report("put of a site, 16 at once", "\(Int(Double(AzureClientBenchmark.sites) / seconds(time))) /s")
    }

    // MARK: Printing

    private func report(_ what: String, _ figure: String, _ remark: String = "") {
        print("\(what.padded(to: 36))\(figure)\(remark.isEmpty ? "" : "   \(remark)")")
    }

    private func seconds(_ duration: Duration) -> Double {
        Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
    }

    private func milliseconds(_ seconds: Double) -> String { "\(Double(Int(seconds * 10_000)) / 10) ms" }

    /// A line of `/proc/self/status`, in megabytes; 0 where it cannot be read.
    private func residentMegabytes(_ name: String) -> Double {
        // Without the file there is no figure, which the 0 says.
        guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8) else { return 0 }
        let line = status.split(separator: "\n").first { $0.hasPrefix(name) }
        return line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Double($0) }.map { $0 / 1024 }
            ?? 0
    }

    /// Makes the peak begin anew (proc(5), `clear_refs`).
    private func resetPeak() {
        guard let file = fopen("/proc/self/clear_refs", "w") else { return }
        fputs("5", file)
        fclose(file)
    }
}

/// A site as a list shows it, put together again.
private struct Listed: Encodable {
    let id: String
    let name: String
    let type = "Microsoft.Web/sites"
    let kind: String?
    let location: String
    let tags: [String: String]
    let properties: JSONValue

    init(of site: Site) {
        id = site.resourceID.description
        name = site.name
        kind = site.kind
        location = site.location
        tags = site.tags
        properties = site.properties
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String {
        self + String(repeating: " ", count: max(0, width - count))
    }
}
