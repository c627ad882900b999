import Testing

@testable import DesiredState

@Suite(.timeLimit(.minutes(1)))
struct ApplyPlanTests {
    private let actions = [PlannedAction(rule: "absent", text: "create the site")]

    private func manifest(_ image: String = "alpine") throws -> Manifest {
        Manifest(
            name: try #require(RecordName("web")),
            spec: FunctionAppSpec(image: try ImageReference(parsing: image), args: ["x"]))
    }

    @Test func `a digest says which of the three has moved`() throws {
        let record = try FunctionApp.sample("web")
        let digest = try PlanDigest(of: record, try manifest(), actions)
        #expect(PlanDigest(codedText: digest.codedText) == digest && digest.moved(since: digest).isEmpty)
        var newer = record
        newer.metadata.resourceVersion = Revision(2)
        #expect(
            try PlanDigest(of: newer, try manifest(), actions).moved(since: digest)
                == ["the stored record was changed"])
        #expect(try PlanDigest(of: nil, try manifest(), actions).record != digest.record)
        #expect(
            try PlanDigest(of: record, try manifest("busybox"), actions).moved(since: digest)
                == ["the manifest says something else"])
        #expect(
            try PlanDigest(of: record, try manifest(), []).moved(since: digest)
                == ["the controller would do something else now"])
    }

    @Test func `the digest of one record is its own, that of several depends on their order`() throws {
        let one = try PlanDigest(of: nil, try manifest(), actions)
        let two = try PlanDigest(of: nil, try manifest("busybox"), [])
        #expect(PlanDigest(combining: []) == nil && PlanDigest(combining: [one]) == one)
        #expect(PlanDigest(combining: [one, two]) != PlanDigest(combining: [two, one]))
        #expect(PlanDigest(combining: [one, two])?.moved(since: one).count == 3)
    }

    @Test func `texts that are no digest are none`() {
        for text in [
            "", "1-2-3", "0123456789abcdef-0123456789abcdef", "0123456789ABCDEF-0123456789abcdef-0123456789abcdef",
        ] {
            #expect(PlanDigest(codedText: text) == nil)
        }
    }

    @Test func `fields are told by path, and the order of variables only if nothing else has changed`() throws {
        var before = try FunctionApp.sample("web")
        before.spec.env = [
            EnvironmentVariable(name: "A", value: "1"), EnvironmentVariable(name: "B", value: "2"),
        ]
        var after = before
        #expect(try FieldChange.between(before, after).isEmpty)
        after.spec.env.reverse()
        #expect(try FieldChange.between(before, after) == [FieldChange(path: "spec.env", from: "A, B", to: "B, A")])
        after.spec.workingDir = "/w"
        after.spec.suspend = Suspension()
        after.metadata.annotations["docker.skls.dev/config"] = "note"
        after.metadata.annotations["who"] = "me"
        #expect(
            try FieldChange.between(before, after).map { "\($0.path) \($0.from ?? "-") \($0.to ?? "-")" } == [
                "metadata.annotations.who - \"me\"", "spec.suspend - {}", "spec.workingDir - \"/w\"",
            ])
    }
}
