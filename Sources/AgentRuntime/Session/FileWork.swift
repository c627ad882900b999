import AgentProtocol
import NIOCore
import NIOPosix

/// Threads for what blocks on files. Started with the first task that needs them.
final class FileThreads {
    private var pool: NIOThreadPool?

    /// Two, so that one slow disk operation does not hold up every copy.
    private static let threads = 2

    func run<Value: Sendable>(
        on eventLoop: any EventLoop, _ body: @escaping @Sendable () throws -> Value
    ) -> EventLoopFuture<Value> {
        let pool = self.pool ?? NIOThreadPool(numberOfThreads: Self.threads)
        if self.pool == nil {
            pool.start()
            self.pool = pool
        }
        return pool.runIfActive(eventLoop: eventLoop, body)
    }
}

/// A task that produces output from files: one piece after the other, as there is room for them.
final class ProducingWork: SessionWork {
    /// Makes pieces on a thread of its own, one call at a time.
    typealias Next = () throws -> [UInt8]?

    private let side: SessionTaskSide
    private let threads: FileThreads
    private let eventLoop: any EventLoop
    private let source: Source
    private var isProducing = false
    private var isOver = false

    /// `@unchecked`: only the one call that is under way touches what is in it, and a call follows another only when that
    /// has come back to the event loop.
    private final class Source: @unchecked Sendable {
        let begin: () throws -> (facts: [String: String], next: Next)
        var next: Next?

        init(_ begin: @escaping () throws -> (facts: [String: String], next: Next)) {
            self.begin = begin
        }
    }

    /// - Parameter begin: called first, on such a thread as well: the facts, and where pieces come from.
    init(
        _ side: SessionTaskSide, threads: FileThreads, eventLoop: any EventLoop,
        begin: @escaping () throws -> (facts: [String: String], next: Next)
    ) {
        self.side = side
        self.threads = threads
        self.eventLoop = eventLoop
        source = Source(begin)
    }

    func start() {
        isProducing = true
        let source = source
        threads.run(on: eventLoop) {
            let (facts, next) = try source.begin()
            source.next = next
            return facts
        }.assumeIsolated().whenComplete { [self] result in
            isProducing = false
            switch result {
            case .success(let facts):
                side.began(facts)
                side.inputClosed()
                roomForOutput()
            case .failure(let error): end(error)
            }
        }
    }

    func roomForOutput() {
        guard !isProducing, !isOver, side.hasRoom else { return }
        isProducing = true
        let source = source
        threads.run(on: eventLoop) { try source.next?() }.assumeIsolated().whenComplete { [self] result in
            isProducing = false
            if isOver {
                source.next = nil
                return
            }
            switch result {
            case .success(let piece?):
                side.output(.stdout, piece)
                roomForOutput()
            case .success(nil): end(nil)
            case .failure(let error): end(error)
            }
        }
    }

    func released() {
        isOver = true
        if !isProducing { source.next = nil }
    }

    private func end(_ error: (any Error)?) {
        isOver = true
        source.next = nil
        switch error {
        case nil: side.ended(SessionResult())
        case let failure as FileFailure: side.ended(failure.result)
        case let error?: side.ended(SessionResult(failure: .failed, message: "\(error)"))
        }
        side.outputEnded()
    }
}

/// A task that unpacks its input.
final class ExtractWork: SessionWork {
    private let side: SessionTaskSide
    private let threads: FileThreads
    private let eventLoop: any EventLoop
    private let sink: Sink
    private var waiting: [[UInt8]] = []
    private var isWriting = false
    private var isInputEnded = false
    private var isOver = false

    /// `@unchecked`: see ``ProducingWork/Source``.
    private final class Sink: @unchecked Sendable {
        let begin: () throws -> Extraction
        var extraction: Extraction?

        init(_ begin: @escaping () throws -> Extraction) {
            self.begin = begin
        }
    }

    /// The fact that tells how many owners the container's system did not allow to be set.
    static let refusedOwners = "owners-refused"

    init(
        _ side: SessionTaskSide, threads: FileThreads, eventLoop: any EventLoop,
        begin: @escaping () throws -> Extraction
    ) {
        self.side = side
        self.threads = threads
        self.eventLoop = eventLoop
        sink = Sink(begin)
    }

    func start() {
        let sink = sink
        run {
            sink.extraction = try sink.begin()
        } then: { [self] in
            side.began()
        }
    }

    func input(_ bytes: [UInt8]) {
        waiting.append(bytes)
        proceed()
    }

    func inputEnded() {
        isInputEnded = true
        proceed()
    }

    func released() {
        isOver = true
        waiting = []
        if !isWriting { sink.extraction = nil }
    }

    private func proceed() {
        guard !isWriting, !isOver else { return }
        let sink = sink
        if !waiting.isEmpty {
            let pieces = waiting
            waiting = []
            run {
                for piece in pieces { try sink.extraction?.write(piece) }
            } then: { [self] in
                side.inputConsumed(pieces.reduce(0) { $0 + $1.count })
                proceed()
            }
        } else if isInputEnded {
            run {
                try sink.extraction?.finish()
            } then: { [self] in
                end(
                    sink.extraction.map { extraction in
                        SessionResult(
                            facts: extraction.refusedOwners == 0
                                ? [:] : [Self.refusedOwners: String(extraction.refusedOwners)])
                    } ?? SessionResult())
            }
        }
    }

    private func run(_ body: @escaping @Sendable () throws -> Void, then: @escaping () -> Void) {
        isWriting = true
        threads.run(on: eventLoop, body).assumeIsolated().whenComplete { [self] result in
            isWriting = false
            if isOver {
                sink.extraction = nil
                return
            }
            switch result {
            case .success: then()
            case .failure(let failure as FileFailure): end(failure.result)
            case .failure(let error): end(SessionResult(failure: .failed, message: "\(error)"))
            }
        }
    }

    private func end(_ result: SessionResult) {
        isOver = true
        sink.extraction = nil
        waiting = []
        side.ended(result)
        side.inputClosed()
        side.outputEnded()
    }
}
