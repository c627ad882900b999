import AzureClient
import DesiredState
import Foundation
import Logging
import NIOConcurrencyHelpers
import Testing

@testable import Controller

/// Azure's sites and shares in memory, with the production sweep over the real store. Each call and each answer can be made to fail.
final class SweptWorld: Sendable {
    struct State {
        var sites: [String: ObservedSite] = [:]
        var details: [String: SiteDetails] = [:]
        var shares: Set<String> = []
        var changes: [String] = []
        var callCount = 0
        /// This call fails, after its effect if `loses`.
        var failingCall: Int?
        var loses = false
        /// Runs before the call of this number.
        var interruption: (call: Int, body: @Sendable (SweptWorld) async -> Void)?
        var now = Instant(nanoseconds: 1_700_000_000_000_000_000)
    }

    let store: SQLiteStore
    let designer: SiteDesigner
    private let directory: URL
    private let state = NIOLockedValueBox(State())

    init(hasShares: Bool = true) throws {
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("skls-sweep-" + UUID().uuidString)
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        var generator = SplitMix64(state: 7)
        store = try SQLiteStore(path: directory.path + "/state.sqlite", generator: &generator)
        var configuration = SiteDesigner.Configuration(
            location: "westeurope", defaultPlan: "/plans/p", resourceGroupID: "/subscriptions/s/resourceGroups/g")
        if hasShares {
            configuration.storage = .connectionString(Secret("DefaultEndpointsProtocol=https;AccountName=account1"))
        }
        designer = SiteDesigner(
            configuration: configuration, instance: store.instance, key: store.key, writer: "life")
    }

    deinit {
        try? FileManager.default.removeItem(at: directory)  // a leftover of a test in the temporary folder harms nobody
    }

    func change(_ body: (inout State) -> Void) { state.withLockedValue { body(&$0) } }
    var sites: [ObservedSite] { state.withLockedValue { $0.sites.values.sorted { $0.name < $1.name } } }
    var shares: Set<String> { state.withLockedValue { $0.shares } }
    var changes: [String] { state.withLockedValue { $0.changes } }
    var callCount: Int { state.withLockedValue { $0.callCount } }

    /// - Parameter store: another view of this world's store.
    func service(mode: SweepSettings.Mode = .delete, store: (any RecordStore)? = nil) -> SweepService {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return SweepService(
            store: store ?? self.store, azure: self, designer: designer, settings: SweepSettings(mode: mode),
            clock: { self.state.withLockedValue { $0.now } }, logger: logger)
    }

    func addLeak(_ number: Int) {
        let site = ObservedSite.leak(number, instance: store.instance.text) {
            $0.tags[SiteTag.writer] = "life:1"
        }
        change {
            $0.sites[site.name] = site
            $0.shares.insert(site.name)
        }
    }

    /// A list every five minutes for so long; each life of the service ends after one of them if `restarts`.
    func pass(_ duration: Duration, restarts: Bool = false) async {
        var service = service()
        for _ in 0..<Int(duration.components.seconds / 300) {
            do throws(StoreError) { try await service.sweep(sites) } catch { Issue.record(error) }
            change { $0.now = $0.now + .seconds(300) }
            if restarts { service = self.service() }
        }
    }

    private func call<Answer>(_ body: (inout State) -> Answer) async throws(AzureError) -> Answer {
        let interruption = state.withLockedValue { state in
            state.callCount += 1
            return state.interruption?.call == state.callCount ? state.interruption?.body : nil
        }
        if let interruption { await interruption(self) }
        let answer: Answer? = state.withLockedValue { state in
            guard state.failingCall == state.callCount else { return body(&state) }
            if state.loses { _ = body(&state) }
            return nil
        }
        guard let answer else {
            throw AzureError(code: .other, operation: .getSite, resource: "", message: "made to fail")
        }
        return answer
    }
}

extension SweptWorld: SweptAzure {
    func listSites() async throws(AzureError) -> [ObservedSite] { try await call { Array($0.sites.values) } }

    func readSite(_ name: String) async throws(AzureError) -> ObservedSite? { try await call { $0.sites[name] } }

    func readDetails(_ name: String) async throws(AzureError) -> SiteDetails? { try await call { $0.details[name] } }

    func replaceTags(_ name: String, _ tags: [String: String]) async throws(AzureError) {
        try await call { state in
            state.sites[name]?.tags = tags
            state.changes.append("tag \(name)")
        }
    }

    func deleteSite(_ name: String) async throws(AzureError) {
        try await call { state in
            if state.sites.removeValue(forKey: name) != nil { state.changes.append("delete \(name)") }
        }
    }

    func listShares() async throws(AzureError) -> [String]? { try await call { $0.shares.sorted() } }

    func deleteShare(_ name: String) async throws(AzureError) {
        try await call { state in
            if state.shares.remove(name) != nil { state.changes.append("delete share \(name)") }
        }
    }
}
