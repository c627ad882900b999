import DesiredState
import Testing

@testable import Controller

/// What the planner would do, walked forward.
@Suite(.timeLimit(.minutes(2)))
struct PreviewTests {
    private static let now = Instant(nanoseconds: 1_700_000_000_000_000_000)

    private func texts(_ preview: Preview, _ fields: [String] = []) -> [String] {
        preview.steps.map { step in
            let action = step.planned(changing: fields)
            return ([action.text] + action.fields).joined(separator: " ") + " (\(action.rule))"
        }
    }

    private func input(_ record: FunctionApp) -> PlanInput {
        PlanInput(
            now: PreviewTests.now, record: record,
            identity: SiteIdentity(name: SiteDesigner.siteName(of: record.uid), designHash: "h", instance: "i"))
    }

    @Test func `a fresh record gets a site, and its runs`() throws {
        let preview = preview(input(try makeRecord(invocations: 2)), writtenHash: nil)
        #expect(
            texts(preview) == ["create the site (absent)", "begin run 1 (notInvoked)", "begin run 2 (notInvoked)"])
        #expect(preview.rest == .steady)
    }

    @Test func `a record that is done deletes itself in the end`() throws {
        var record = try makeRecord(invocations: 1)
        record.spec.run.ttlSecondsAfterFinished = 0
        let preview = preview(input(record), writtenHash: nil)
        #expect(
            texts(preview).suffix(3) == [
                "delete the record: its time to live is over (timeToLive)", "delete the site (endingRunBeforeDelete)",
                "forget the record (deletingSite)",
            ])
    }

    @Test func `a suspended record is left alone, and its reason told`() throws {
        var record = try makeRecord(invocations: 1)
        record.spec.suspend = Suspension()
        let preview = preview(input(record), writtenHash: nil)
        #expect(preview.steps.isEmpty && preview.rest == .paused && !preview.reason.isEmpty)
    }

    @Test func `a site that nobody has seen yet is taken to be as it was written last`() throws {
        var input = input(try makeRecord(invocations: 0))
        input.intent = Intent(
            uid: input.record.uid, kind: .putSite, siteName: input.identity.name,
            openedAt: PreviewTests.now + .seconds(-9), isSettled: true)
        #expect(preview(input, writtenHash: "h").steps.isEmpty)
        #expect(texts(preview(input, writtenHash: "old"), ["hosting"]) == ["write the site hosting (drift)"])
    }

    @Test func `the same input gives the same preview`() throws {
        let input = input(try makeRecord(invocations: 3))
        #expect(preview(input, writtenHash: nil) == preview(input, writtenHash: nil))
    }

    @Test func `the real machine says beforehand what it then does`() async throws {
        let driver = try MachineDriver(seed: 31)
        let record = try makeRecord()
        try await driver.start()
        #expect(
            texts(driver.preview(record, replacing: nil))
                == ["create the site (absent)", "begin run 1 (notInvoked)"])
        try await driver.write(.create(record), uid: record.uid)
        try await driver.settle()
        #expect(driver.azure.putCount == 1 && driver.azure.executions.count == 1)
        let stored = try #require(try await driver.store.load(record.uid))
        #expect(texts(driver.preview(stored.record, replacing: stored)).isEmpty)
        var changed = stored.record.requestingRun().record
        changed.spec.image = try ImageReference(parsing: "busybox")
        changed.metadata.generation += 1
        let told = texts(driver.preview(changed, replacing: stored), ["siteConfig.linuxFxVersion"])
        #expect(told == ["write the site siteConfig.linuxFxVersion (drift)", "begin run 2 (notInvoked)"])
        try await driver.write(.replace(changed, ifRevision: stored.record.metadata.resourceVersion), uid: record.uid)
        try await driver.settle()
        #expect(driver.azure.putCount == 2 && driver.azure.executions.count == 2)
    }

    @Test func `designs tell their differences by name, and none that only follow from others`() throws {
        let designer = SiteSample.designer()
        let record = try makeRecord()
        var changed = record
        changed.spec.image = try ImageReference(parsing: "busybox")
        changed.spec.azure = DesiredState.AzureSettings(appSettings: ["K": "v"], tags: ["team": "a"])
        changed.spec.hosting.plan = "other"
        let (before, after) = (designer.design(of: record), designer.design(of: changed))
        #expect(
            after.changedFields(from: before) == [
                "appSettings.K", "hosting", "siteConfig.linuxFxVersion", "tags.team",
            ])
        #expect(after.changedFields(from: after).isEmpty)
    }
}
