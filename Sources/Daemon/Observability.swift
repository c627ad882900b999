import APIServer
import AzureClient
import Controller
import DesiredState
import Foundation
import Logging
import Tracing

/// All that looks on in a daemon: the journal, the metrics, and the spans if there is a file for them.
struct Observability: Sendable {
    let clock: @Sendable () -> Moment
    let journal: Journal
    let metrics: ControllerMetrics
    private let traceFile: TraceFile?
    private let tracer: ReconcileTracer?

    /// To be made before any HTTP client, since clients take up the tracer when they are made.
    ///
    /// - Parameter traces: where spans go; `nil` = nowhere, at no cost.
    /// - Throws: if that file cannot be written.
    init(store: any RecordStore, clock: @escaping @Sendable () -> Moment, seed: UInt64, traces: String?, logger: Logger)
        throws
    {
        self.clock = clock
        let metrics = ControllerMetrics(clock: clock)
        self.metrics = metrics
        journal = Journal(store: store, clock: clock, logger: logger) { metrics.event($0) }
        guard let traces else {
            traceFile = nil
            tracer = nil
            return
        }
        let file = try TraceFile(path: traces, logger: logger)
        let spans = SpanTracer(seed: seed) { file.write($0) }
        InstrumentationSystem.bootstrap(spans)
        traceFile = file
        tracer = ReconcileTracer(tracer: spans)
    }

    var observer: any ControllerObserver {
        let all: [any ControllerObserver] = [journal, metrics]
        return Observers(tracer.map { all + [$0] } ?? all)
    }

    /// Runs `body` with everything that writes behind its back, and ends once all is written.
    func whileRunning(_ body: @escaping @Sendable () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await journal.run() }
            if let traceFile { group.addTask { await traceFile.run() } }
            try await body()
            journal.finish()
            traceFile?.finish()
            try await group.waitForAll()
        }
        await journal.flush()
    }
}
