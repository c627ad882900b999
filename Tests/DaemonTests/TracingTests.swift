import Controller
import DesiredState
import Foundation
import Logging
import NIOConcurrencyHelpers
import Testing
import Tracing

@testable import Controller
@testable import Daemon

@Suite(.timeLimit(.minutes(1)))
struct TracingTests {
    private let start = Instant(nanoseconds: 1_700_000_000_000_000_000)
    private let uid: UID = {
        var generator = SplitMix64(state: 1)
        return UID(using: &generator)
    }()

    private func moment(_ seconds: Double) -> Moment {
        Moment(wall: start + .seconds(seconds), steady: start)
    }

    private let facts = LogFacts(generation: 4, rule: .absent, reason: "creating the site", reconcileID: 9)

    private func recorded(_ body: (ReconcileTracer, SpanTracer) throws -> Void) rethrows -> [FinishedSpan] {
        let spans = NIOLockedValueBox<[FinishedSpan]>([])
        let tracer = SpanTracer(seed: 7) { span in spans.withLockedValue { $0.append(span) } }
        try body(ReconcileTracer(tracer: tracer), tracer)
        return spans.withLockedValue { $0 }
    }

    private func record() throws -> FunctionApp {
        let name = try #require(RecordName("job"))
        let spec = FunctionAppSpec(image: try ImageReference(parsing: "alpine"), args: ["x"])
        return FunctionApp(creating: Manifest(name: name, spec: spec), uid: uid, at: start)
    }

    private func call(_ kind: CallKind = .putSite) -> CallFacts {
        CallFacts(uid: uid, id: CallID(number: 1), kind: kind, reconcile: facts, correlationID: "c-1")
    }

    @Test func `a reconcile is a span, its call one below it, and HTTP requests below that`() throws {
        let plan = Plan(
            rule: .absent, reason: "creating the site", actions: [.putSite], status: FunctionAppStatus(),
            nextLook: .onChange)
        let spans = try recorded { observer, tracer in
            observer.observed(.started(uid, reconcileID: 9), at: moment(0))
            observer.observed(
                .decided(Reconcile(uid: uid, facts: facts, record: try record(), plan: plan, commits: true)),
                at: moment(1))
            observer.observed(.ended(uid, facts, .success), at: moment(2))
            observer.observed(.callBegun(call()), at: moment(2))
            let context = try #require(observer.context(of: call()))
            let http = tracer.startSpan("PUT", context: context, ofKind: .client, at: SpanTime(moment(2.5).wall))
            http.attributes["url.path"] = "/subscriptions/s"
            http.attributes["url.query"] = "sig=secret"
            http.attributes["url.full"] = "https://x/?sig=secret"
            http.end(at: SpanTime(moment(3).wall))
            observer.observed(.callFinished(call(), .siteWritten), at: moment(4))
            #expect(observer.context(of: call()) == nil)
        }
        #expect(spans.map { $0.name } == ["reconcile", "PUT", "putSite"])
        let (reconcile, request, callSpan) = (spans[0], spans[1], spans[2])
        #expect(Set(spans.map { $0.identity.traceID }).count == 1 && reconcile.parentID == nil)
        #expect(callSpan.parentID == reconcile.identity.spanID && request.parentID == callSpan.identity.spanID)
        #expect(reconcile.identity.traceID.count == 32 && reconcile.identity.spanID.count == 16)
        #expect(reconcile.endNanoseconds - reconcile.startNanoseconds == 2_000_000_000)
        #expect(
            reconcile.attributes == [
                "key": uid.text, "generation": "4", "rule": "absent", "reason": "creating the site", "reconcileID": "9",
            ])
        #expect(
            callSpan.attributes == [
                "key": uid.text, "generation": "4", "rule": "absent", "reconcileID": "9", "correlation_id": "c-1",
            ])
        #expect(request.attributes == ["url.path": "/subscriptions/s"], "no signature")
        #expect(!spans.contains { $0.isError })
    }

    @Test func `what fails is marked with its message, and the same seed gives the same numbers`() throws {
        func run() -> [FinishedSpan] {
            recorded { observer, _ in
                observer.observed(.started(uid, reconcileID: 9), at: moment(0))
                observer.observed(.ended(uid, facts, .error("the disk is full")), at: moment(1))
                observer.observed(.callBegun(call(.greetAgent)), at: moment(1))
                observer.observed(
                    .callFinished(call(.greetAgent), .agentNotReady(message: "503")), at: moment(2))
            }
        }
        #expect(run().map { $0.message } == ["the disk is full", "503"] && run().allSatisfy { $0.isError })
        #expect(run() == run())
    }

    @Test func `the file holds one JSON object per span, and stays within its bound`() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("skls-traces-" + UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }  // a leftover harms nobody
        let path = folder.path + "/spans.jsonl"
        let file = try TraceFile(path: path, limit: 4_000, logger: Logger(label: "test"))
        for number in 0..<40 {
            file.write(
                FinishedSpan(
                    identity: SpanIdentity(traceID: hex(0) + hex(1), spanID: hex(UInt64(number))), parentID: hex(2),
                    name: "putSite", kind: "client", startNanoseconds: 1_700_000_000_000_000_000,
                    endNanoseconds: 1_700_000_001_000_000_000, isError: number == 39, message: "a \"b\"\n",
                    attributes: ["rule": "absent"]))
        }
        file.finish()
        await file.run()
        let newest = try String(contentsOfFile: path, encoding: .utf8)
        let older = try String(contentsOfFile: path + ".1", encoding: .utf8)
        #expect(newest.utf8.count <= 4_000 && older.utf8.count <= 4_000 && file.droppedCount == 0)
        let last = try #require(newest.split(separator: "\n").last)
        let object = try #require(try JSONSerialization.jsonObject(with: Data(last.utf8)) as? [String: Any])
        #expect(object["spanId"] as? String == "0000000000000027" && object["status"] as? String == "error")
        #expect(object["start"] as? String == "2023-11-14T22:13:20.000000000Z")
        #expect(object["message"] as? String == "a \"b\"\n" && object["parentSpanId"] as? String == hex(2))
        #expect((object["attributes"] as? [String: String]) == ["rule": "absent"])
    }

    @Test func `a file that cannot be written is told at the start`() {
        #expect(throws: TraceFileError.self) {
            try TraceFile(path: "/nowhere/at/all.jsonl", logger: Logger(label: "test"))
        }
    }
}
