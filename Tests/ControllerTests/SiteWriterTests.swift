import AzureClient
import DesiredState
import NIOConcurrencyHelpers
import Testing

@testable import Controller

/// What is looked at before a site is written, and what each answer becomes.
struct SiteWriterTests {
    private static let now = Instant(nanoseconds: 1_700_000_000_000_000_000)

    private func written() throws -> Site {
        Site(
            name: "x", resourceID: try SiteSample.id(SiteSample.group + "/providers/Microsoft.Web/sites/x"),
            location: "West Europe")
    }

    private func azure(
        plans: [AppServicePlan]? = nil, _ change: (inout FakeSites.State) -> Void = { _ in }
    ) throws -> FakeSites {
        let (plans, site) = (try plans ?? [SiteSample.plan()], try written())
        return FakeSites {
            $0.plans = plans
            $0.put = .success(.finished(site))
            change(&$0)
        }
    }

    private func writer(_ azure: FakeSites) -> SiteWriter {
        SiteWriter(sites: azure, plans: PlanDirectory(sites: azure, clock: { SiteWriterTests.now }))
    }

    private func refusal(_ result: CallResult) -> (reason: String, message: String)? {
        guard case .failed(let failure) = result, case .terminal(let reason) = failure.kind else { return nil }
        return (reason, failure.message)
    }

    private func write(
        _ azure: FakeSites, isUpdate: Bool = false, seed: UInt64 = 1,
        _ change: (inout SiteDesigner.Configuration) -> Void = { _ in }
    ) async throws -> CallResult {
        let design = SiteSample.designer(change).design(of: try makeRecord(seed: seed))
        return try await writer(azure).write(design, isUpdate: isUpdate, correlationID: SiteSample.correlation)
    }

    @Test func `a plan is read before the first site and not before the next`() async throws {
        let azure = try azure()
        let writer = writer(azure)
        for seed in 1...3 as ClosedRange<UInt64> {
            let design = SiteSample.designer().design(of: try makeRecord(seed: seed))
            let result = try await writer.write(design, isUpdate: false, correlationID: SiteSample.correlation)
            #expect(result == .siteWritten)
        }
        #expect(azure.calls == ["plan", "put", "put", "put"])
    }

    @Test func `on a plan that cannot run containers nothing is written, and one put right counts at once`()
        async throws
    {
        let azure = try azure(plans: [SiteSample.plan("Y1")])
        let writer = writer(azure)
        let design = SiteSample.designer().design(of: try makeRecord())
        let refused = try await writer.write(design, isUpdate: false, correlationID: SiteSample.correlation)
        #expect(refusal(refused)?.reason == "PlanCannotRunContainers" && azure.written.isEmpty)
        let good = try SiteSample.plan()
        azure.change { $0.plans = [good] }
        let result = try await writer.write(design, isUpdate: false, correlationID: SiteSample.correlation)
        #expect(result == .siteWritten)
    }

    @Test func `a plan fills up with the sites that are made, though its own count lags behind`() async throws {
        let azure = try azure(plans: [SiteSample.plan(sites: 98)])
        let writer = writer(azure)
        var results: [CallResult] = []
        for seed in 1...3 as ClosedRange<UInt64> {
            let design = SiteSample.designer().design(of: try makeRecord(seed: seed))
            results.append(try await writer.write(design, isUpdate: false, correlationID: SiteSample.correlation))
        }
        #expect(Array(results.prefix(2)) == [.siteWritten, .siteWritten])
        #expect(refusal(try #require(results.last))?.reason == "PlanFull" && azure.written.count == 2)
    }

    @Test func `without a configured plan the only fitting one is taken`() async throws {
        let one = try azure(plans: [SiteSample.plan("Y1", name: "old"), SiteSample.plan(name: "good")])
        #expect(try await write(one) { $0.defaultPlan = nil } == .siteWritten)
        let good = try SiteSample.plan(name: "good").resourceID
        #expect(one.written.first?.hosting == .plan(good))
        let several = try azure(plans: [SiteSample.plan(name: "a"), SiteSample.plan("B1", name: "b")])
        let choice = refusal(try await write(several) { $0.defaultPlan = nil })
        #expect(choice?.reason == "SeveralPlans" && choice?.message.contains("a, b") == true)
        let none = refusal(
            try await write(try azure(plans: [SiteSample.plan("FC1", name: "flex")])) { $0.defaultPlan = nil })
        #expect(none?.reason == "NoPlan" && none?.message.contains("flex (PlanCannotRunContainers)") == true)
        #expect(none?.message.contains("EP1") == true)
    }

    @Test(arguments: ["gone", "Y1"]) func `the only plan is looked for again once it does not fit any more`(
        _ change: String
    ) async throws {
        let azure = try azure(plans: [SiteSample.plan(name: "old")])
        let now = NIOLockedValueBox(Self.now)
        let writer = SiteWriter(
            sites: azure, plans: PlanDirectory(sites: azure, clock: { now.withLockedValue(\.self) }))
        let design = SiteSample.designer { $0.defaultPlan = nil }.design(of: try makeRecord())
        func write() async throws -> CallResult {
            try await writer.write(design, isUpdate: false, correlationID: SiteSample.correlation)
        }
        #expect(try await write() == .siteWritten)
        let left = try [SiteSample.plan("Y1", name: "old"), SiteSample.plan(name: "good")].dropFirst(
            change == "gone" ? 1 : 0)
        azure.change { $0.plans = Array(left) }
        now.withLockedValue { $0 = $0 + .seconds(301) }
        #expect(refusal(try await write()) != nil)
        #expect(try await write() == .siteWritten)
        #expect(azure.written.last?.hosting == .plan(try SiteSample.plan(name: "good").resourceID))
    }

    @Test func `wrong names of plans and environments are told apart from missing ones`() async throws {
        #expect(refusal(try await write(try azure()) { $0.defaultPlan = "nonsense" })?.reason == "InvalidPlan")
        #expect(refusal(try await write(try azure(plans: [])))?.reason == "PlanNotFound")
        let environment = try await write(try azure()) {
            $0.defaultPlan = nil
            $0.managedEnvironment = "nonsense"
        }
        #expect(refusal(environment)?.reason == "InvalidEnvironment")
    }

    @Test func `Container Apps need no plan`() async throws {
        let azure = try azure(plans: [])
        let result = try await write(azure) {
            $0.defaultPlan = nil
            $0.managedEnvironment = SiteSample.environmentID
        }
        #expect(result == .siteWritten && azure.calls == ["put"])
    }

    @Test func `an update reads the site and its settings first and carries over what is not ours`() async throws {
        let design = SiteSample.designer().design(of: try makeRecord())
        var details = try SiteSample.details(of: design, on: .elasticPremium(SiteSample.id(SiteSample.planID)))
        details.appSettings["THEIRS"] = Secret("x")
        let azure = try azure { $0.details = details }
        #expect(try await write(azure, isUpdate: true) == .siteWritten)
        #expect(azure.calls == ["get", "settings", "plan", "put"])
        #expect(azure.written.first?.appSettings.contains { $0.name == "THEIRS" } == true)
    }

    @Test func `a site that went away is made anew, and one that lost our tags is left alone`() async throws {
        let gone = try azure()
        #expect(try await write(gone, isUpdate: true) == .siteWritten)
        #expect(gone.calls == ["get", "plan", "put"])
        var details = try SiteSample.details(
            of: SiteSample.designer().design(of: makeRecord()), on: .elasticPremium(SiteSample.id(SiteSample.planID)))
        details.site.tags[SiteTag.instance] = "somebody else"
        let foreign = try azure { $0.details = details }
        guard case .failed(let failure) = try await write(foreign, isUpdate: true) else { throw SiteSample.Missing() }
        #expect(failure.kind == .transient && foreign.written.isEmpty)
    }

    @Test func `a site stays on its plan where none is configured`() async throws {
        let design = SiteSample.designer { $0.defaultPlan = nil }.design(of: try makeRecord())
        let details = try SiteSample.details(of: design, on: .elasticPremium(SiteSample.id(SiteSample.planID)))
        let azure = try azure(plans: [SiteSample.plan(), SiteSample.plan(name: "second")]) { $0.details = details }
        let result = try await write(azure, isUpdate: true) { $0.defaultPlan = nil }
        #expect(result == .siteWritten && azure.calls == ["get", "settings", "plan", "put"])
    }

    @Test func `a refused write makes the plan be read again`() async throws {
        let azure = try azure {
            $0.put = .failure(AzureError(code: .scopeNotFound, operation: .putSite, resource: "x", message: "no plan"))
        }
        let writer = writer(azure)
        let design = SiteSample.designer().design(of: try makeRecord())
        for _ in 0..<2 {
            await #expect(throws: AzureError.self) {
                try await writer.write(design, isUpdate: false, correlationID: SiteSample.correlation)
            }
        }
        #expect(azure.calls == ["plan", "put", "plan", "put"])
    }

    @Test func `a stored operation that cannot be read is over`() async throws {
        for text in ["", "nonsense", "{}"] {
            let result = try await writer(azure()).follow(text, correlationID: SiteSample.correlation)
            #expect(result == .operationEnded)
        }
    }

    @Test func `a site of another installation is written only if it may be taken over and has our uid`() async throws {
        var record = try makeRecord()
        record.spec.adoption = .ifTagged
        let design = SiteSample.designer().design(of: record)
        let ground = Ground.elasticPremium(try SiteSample.id(SiteSample.planID))
        func written(_ tags: [String: String?]) async throws -> Int {
            var details = try SiteSample.details(of: design, on: ground)
            for (name, value) in tags { details.site.tags[name] = value }
            let azure = try azure { $0.details = details }
            _ = try await writer(azure).write(design, isUpdate: true, correlationID: SiteSample.correlation)
            return azure.written.count
        }
        #expect(try await written([SiteTag.instance: "another"]) == 1)
        #expect(try await written([SiteTag.instance: "another", SiteTag.uid: "another"]) == 0)
        #expect(try await written([SiteTag.instance: nil]) == 0)
    }

    @Test func `a released site keeps all but our tags, and one that is not ours is not touched`() async throws {
        var record = try makeRecord()
        record.spec.azure.tags = ["team": "blue"]
        let designer = SiteSample.designer()
        var details = try SiteSample.details(
            of: designer.design(of: record), on: .elasticPremium(SiteSample.id(SiteSample.planID)))
        details.site.tags["hidden-link"] = "x"
        let azure = try azure { $0.details = details }
        let name = try SiteName(checking: SiteDesigner.siteName(of: record.uid))
        func release() async throws -> CallResult {
            try await writer(azure).release(
                name, instance: designer.instance.text, correlationID: SiteSample.correlation)
        }
        #expect(try await release() == .siteReleased)
        #expect(azure.patched == [SitePatch(tags: ["team": "blue", "hidden-link": "x"])])
        azure.change { $0.details?.site.tags[SiteTag.instance] = "another" }
        #expect(try await release() == .siteReleased)
        azure.change { $0.details = nil }
        #expect(try await release() == .siteWasAbsent)
        #expect(azure.patched.count == 1)
    }
}
