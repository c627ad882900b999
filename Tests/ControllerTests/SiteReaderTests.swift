import AzureClient
import DesiredState
import Testing

@testable import Controller

/// What is asked of Azure to read a site in full, and what becomes of the answers.
struct SiteReaderTests {
    private func scene() throws -> (design: SiteDesign, azure: FakeSites) {
        let design = SiteSample.designer().design(of: try makeRecord())
        let details = try SiteSample.details(of: design, on: .elasticPremium(SiteSample.id(SiteSample.planID)))
        let plan = try SiteSample.plan()
        let azure = FakeSites {
            $0.details = details
            $0.plans = [plan]
        }
        return (design, azure)
    }

    private func read(_ design: SiteDesign, _ azure: FakeSites, namesWriter: Bool = false) async throws -> CallResult {
        let plans = PlanDirectory(sites: azure, clock: { Instant(nanoseconds: 0) })
        return try await SiteReader(sites: azure, plans: plans).read(
            design, namesWriter: namesWriter, correlationID: SiteSample.correlation)
    }

    private func fields(_ result: CallResult) -> [String]? {
        guard case .detailsRead(let reading) = result else { return nil }
        return reading?.differences.map(\.field)
    }

    @Test func `a site as designed has no differences, and mounts are not asked for`() async throws {
        let (design, azure) = try scene()
        #expect(fields(try await read(design, azure)) == [])
        #expect(azure.calls == ["details", "plan"])
    }

    @Test func `a site that was switched off differs in its state, and one that is gone is told as gone`() async throws
    {
        let (design, azure) = try scene()
        azure.change { $0.details?.site.state = "Stopped" }
        #expect(fields(try await read(design, azure)) == ["state"])
        azure.change { $0.details = nil }
        #expect(try await read(design, azure) == .detailsRead(nil))
    }

    @Test func `on a plan that runs no containers nothing can be compared`() async throws {
        let (design, azure) = try scene()
        azure.change { $0.plans = [] }
        guard case .failed(let failure) = try await read(design, azure) else {
            Issue.record("no failure")
            return
        }
        #expect(failure.kind == .terminal(reason: "PlanNotFound"))
    }

    private func writer(_ result: CallResult) -> String? {
        guard case .detailsRead(let reading) = result else { return nil }
        return reading?.writer
    }

    @Test func `the writer is whose write is nearest to the time of change, and is asked for only if the site differs`()
        async throws
    {
        let (design, azure) = try scene()
        let id = try SiteSample.id(SiteSample.group + "/providers/Microsoft.Web/sites/" + design.name).description
        func event(_ caller: String?, _ time: String, _ operation: String, _ resource: String) -> ActivityEvent {
            ActivityEvent(caller: caller, time: time, operation: operation, resourceID: resource)
        }
        azure.change {
            $0.details?.site.lastModifiedTime = "2026-01-11T19:23:26.67"
            $0.activity = [
                event("us", "2026-01-11T19:22:40Z", "Microsoft.Web/sites/write", id),
                event(
                    "them", "2026-01-11T19:23:27.0000001Z", "Microsoft.Web/sites/config/write", id.uppercased() + "/C"),
                event("reader", "2026-01-11T19:23:26Z", "Microsoft.Web/sites/config/list/action", id + "/config/x"),
                event("neighbour", "2026-01-11T19:23:26Z", "Microsoft.Web/sites/write", id + "2"),
                event(nil, "2026-01-11T19:23:26Z", "Microsoft.Web/sites/write", id),
                event("late", "2026-01-11T21:23:26Z", "Microsoft.Web/sites/write", id),
            ]
        }
        #expect(writer(try await read(design, azure, namesWriter: true)) == nil)
        #expect(azure.calls == ["details", "plan"])
        azure.change { $0.details?.site.state = "Stopped" }
        #expect(writer(try await read(design, azure)) == nil)
        #expect(writer(try await read(design, azure, namesWriter: true)) == "them")
        #expect(azure.calls.last == "activity 2026-01-11T19:21:26.670Z 2026-01-11T19:25:26.670Z")
        azure.change { $0.activity = nil }
        let closed = try await read(design, azure, namesWriter: true)
        #expect(writer(closed) == nil && fields(closed) == ["state"], "a log that is closed is no failure")
    }

    @Test func `a site that was switched off is started before it is written`() async throws {
        let (design, azure) = try scene()
        let site = try #require(
            try await azure.getSite(SiteName(checking: design.name), correlationID: SiteSample.correlation))
        azure.change {
            $0.calls = []
            $0.details?.site.state = "Stopped"
            $0.put = .success(.finished(site))
        }
        let plans = PlanDirectory(sites: azure, clock: { Instant(nanoseconds: 0) })
        let result = try await SiteWriter(sites: azure, plans: plans).write(
            design, isUpdate: true, correlationID: SiteSample.correlation)
        #expect(result == .siteWritten && azure.calls == ["get", "settings", "plan", "start", "put"])
    }
}
