import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// The World behind a lock: an event goes in, replies go to those who wait for them, and the other effects go to the
/// container runtime in their order.
final class Simulation: Sendable {
    /// What a request is told.
    enum Answer: Sendable {
        case reply(Reply)
        /// The container that takes the request.
        case forward(InstanceID)
        /// What follows comes in parts.
        case stream(RequestID, AsyncStream<[UInt8]>)
        /// The connection is to end without an answer, for the sake of these faults.
        case reset(faults: [String])
    }

    private enum Slot {
        /// Nobody waits yet.
        case open
        case waiting(CheckedContinuation<Answer, Never>)
        case answered(Answer)
    }

    private struct State {
        var world: World
        var lastRequest: UInt64 = 0
        /// As `delayed` and `streams` at most one for each connection: the limit on open files bounds them.
        var slots: [RequestID: Slot] = [:]
        /// Replies whose time has not come.
        var delayed: [RequestID: Reply] = [:]
        /// Answers under way that come in parts.
        var streams: [RequestID: AsyncStream<[UInt8]>.Continuation] = [:]
        var isShutDown = false
    }

    /// What one step leaves to do when the lock is free again.
    private struct Outcome {
        var resumptions: [(CheckedContinuation<Answer, Never>, Answer)] = []
        var executions: [(ExecutionRecord, Instant)] = []
        var delays: [(RequestID, Duration)] = []
    }

    /// Something durable may have changed since the last element. Ends with `shutDown`.
    let changes: AsyncStream<Void>
    private let changeSink: AsyncStream<Void>.Continuation
    /// Effects for the container runtime, in the order of the steps. Ends with `shutDown`.
    let effects: AsyncStream<Effect>
    private let sink: AsyncStream<Effect>.Continuation
    private let state: NIOLockedValueBox<State>
    private let now: @Sendable () -> Instant
    private let timers: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton
    private let journal: @Sendable (ExecutionRecord, Instant) -> Void

    /// - Parameter snapshot: what an earlier simulation left.
    /// - Throws: `state` for a snapshot that cannot be read.
    init(
        settings: WorldSettings, snapshot: [UInt8]? = nil, now: @escaping @Sendable () -> Instant,
        journal: @escaping @Sendable (ExecutionRecord, Instant) -> Void
    ) throws(SimulatorError) {
        var world = World(settings: settings)
        let restored = try snapshot.map { bytes throws(SimulatorError) in try world.restore(bytes, at: now()) } ?? []
        state = NIOLockedValueBox(State(world: world))
        (changes, changeSink) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        // Unbounded: an effect must not be lost, and each is small and soon taken.
        (effects, sink) = AsyncStream.makeStream(of: Effect.self, bufferingPolicy: .unbounded)
        self.now = now
        self.journal = journal
        for effect in restored { sink.yield(effect) }
    }

    /// The World as it is now.
    var world: World { state.withLockedValue { $0.world } }

    /// Tells the World of an event that nobody waits for.
    func report(_ event: Event) {
        if case .abandoned(let id) = event {
            state.withLockedValue { $0.streams.removeValue(forKey: id) }?.finish()
        }
        finish(state.withLockedValue { step(event, &$0) })
    }

    /// Tells the World of a request and waits for its answer. A caller that is cancelled is answered at once, and the
    /// World hears that it went away.
    func answer(_ event: (RequestID) -> Event) async -> Answer {
        let (id, immediate, outcome) = state.withLockedValue { state in
            state.lastRequest += 1
            let id = RequestID(number: state.lastRequest)
            state.slots[id] = .open
            let outcome = step(event(id), &state)
            guard case .answered(let answer) = state.slots[id] else { return (id, Answer?.none, outcome) }
            state.slots[id] = nil
            return (id, answer, outcome)
        }
        finish(outcome)
        if let immediate { return immediate }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: Answer? = state.withLockedValue { state in
                    if case .answered(let answer) = state.slots[id] {
                        state.slots[id] = nil
                        return answer
                    }
                    state.slots[id] = .waiting(continuation)
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            finish(
                state.withLockedValue { state in
                    var outcome = step(.abandoned(id), &state)
                    settle(id, .reply(FrontEndPage.serviceUnavailable), &state, &outcome)
                    return outcome
                })
        }
    }

    /// Stops every container; the stream of effects ends behind that.
    func shutDown() {
        let outcome = state.withLockedValue { state in
            var outcome = step(.shutdown, &state)
            state.isShutDown = true
            for (id, reply) in state.delayed { settle(id, .reply(reply), &state, &outcome) }
            state.delayed = [:]
            for stream in state.streams.values { stream.finish() }
            state.streams = [:]
            return outcome
        }
        finish(outcome)
        sink.finish()
        changeSink.finish()
    }

    private func step(_ event: Event, _ state: inout State) -> Outcome {
        var outcome = Outcome()
        let time = now()
        if event.changesDurableState { changeSink.yield() }
        for effect in state.world.handle(event, at: time) {
            switch effect {
            case .reply(let id, let reply): settle(id, .reply(reply), &state, &outcome)
            case .replyLater(let id, let reply, at: let due):
                if state.isShutDown {
                    settle(id, .reply(reply), &state, &outcome)
                } else {
                    state.delayed[id] = reply
                    outcome.delays.append((id, due - time))
                }
            case .reset(let id, let faults): settle(id, .reset(faults: faults), &state, &outcome)
            case .stream(let id):
                // A client that reads too slowly loses the oldest parts, as on Azure lines are lost.
                let (parts, stream) = AsyncStream.makeStream(of: [UInt8].self, bufferingPolicy: .bufferingNewest(1_024))
                if state.isShutDown { stream.finish() } else { state.streams[id] = stream }
                settle(id, .stream(id, parts), &state, &outcome)
            case .output(let id, let bytes): state.streams[id]?.yield(bytes)
            case .streamEnd(let id): state.streams.removeValue(forKey: id)?.finish()
            case .forward(let id, let instance): settle(id, .forward(instance), &state, &outcome)
            case .journal(let execution): outcome.executions.append((execution, time))
            // Under the lock, so that the order of effects is the order of steps.
            case .start, .stop, .wake, .removeShare: sink.yield(effect)
            }
        }
        return outcome
    }

    private func settle(_ id: RequestID, _ answer: Answer, _ state: inout State, _ outcome: inout Outcome) {
        switch state.slots[id] {
        case .open: state.slots[id] = .answered(answer)
        case .waiting(let continuation):
            state.slots[id] = nil
            outcome.resumptions.append((continuation, answer))
        case .answered, nil: break
        }
    }

    private func finish(_ outcome: Outcome) {
        // The journal first: who learns that a command ran must find it there.
        for (execution, time) in outcome.executions { journal(execution, time) }
        for (continuation, answer) in outcome.resumptions { continuation.resume(returning: answer) }
        for (id, delay) in outcome.delays {
            timers.next().scheduleTask(in: TimeAmount(delay)) { [weak self] in self?.release(id) }
        }
    }

    /// The time of a delayed reply has come.
    private func release(_ id: RequestID) {
        finish(
            state.withLockedValue { state in
                var outcome = Outcome()
                if let reply = state.delayed.removeValue(forKey: id) { settle(id, .reply(reply), &state, &outcome) }
                return outcome
            })
    }
}
