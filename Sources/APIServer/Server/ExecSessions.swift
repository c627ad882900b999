import AgentLink
import AgentProtocol
import DesiredState
import Logging
import NIOConcurrencyHelpers

/// Executed commands as far as this process has to do with them: it holds their channels, and sees to it that how they end is written down, also when no
/// client is there any more, and for those that an earlier life of the daemon began.
///
/// A command's entry is there from the claim until its end is written down and its reader has left. While nobody reads its output, that is read here and dropped, since a
/// command whose output nobody takes would stand still.
final class ExecSessions: Sendable {
    private struct Entry {
        /// `nil` while it is opened, or found again.
        var channel: (any SessionChannel)?
        /// Asked for before there was a channel.
        var size: TerminalSize?
        /// A client reads the output.
        var isRead: Bool
        /// Nothing more is done about it here: the reader, which may still have output to take, removes it.
        var isOver = false
        /// Ended at each change.
        var waiters: [AsyncStream<Never>.Continuation] = []
    }

    private struct Work: Sendable {
        let exec: ExecRecord
        let request: ExecRequest
        /// Began before this process did.
        let isKnown: Bool
    }

    private let entries = NIOLockedValueBox<[String: Entry]>([:])
    /// Sizes for commands that are not claimed yet. Clients send them around the start, so few are ever there.
    private let earlySizes = NIOLockedValueBox<[String: TerminalSize]>([:])
    private static let maximumEarlySizes = 256
    private let work: AsyncStream<Work>
    /// Unbounded: nothing but commands that clients began, of which agents take a bounded number.
    private let begin: AsyncStream<Work>.Continuation

    /// Between two tries to find a command again, doubled each time.
    private static let firstPause: Duration = .seconds(1)
    private static let longestPause: Duration = .seconds(60)

    init() {
        (work, begin) = AsyncStream.makeStream(of: Work.self)
    }

    // MARK: requests

    /// False when the command was claimed before: it may be begun once.
    func claim(_ id: String, isRead: Bool) -> Bool {
        let size = earlySizes.withLockedValue { $0.removeValue(forKey: id) }
        return entries.withLockedValue { entries in
            guard entries[id] == nil else { return false }
            entries[id] = Entry(size: size, isRead: isRead)
            return true
        }
    }

    /// Gives a claim back: nothing was begun.
    func drop(_ id: String) {
        remove(id)
    }

    /// Has a claimed command begun. It goes on whatever becomes of the caller.
    func start(_ exec: ExecRecord, _ request: ExecRequest) {
        begin.yield(Work(exec: exec, request: request, isKnown: false))
    }

    /// Finds out how a command of an earlier life goes on, unless that is under way.
    func look(for exec: ExecRecord, _ record: FunctionApp) {
        guard claim(exec.id, isRead: false) else { return }
        begin.yield(Work(exec: exec, request: exec.request(for: record, size: nil), isKnown: true))
    }

    /// The channel once there is one; `nil` when there will be none, or nobody was said to read it and the command is over. Throws
    /// `CancellationError`.
    func opened(_ id: String) async throws -> (any SessionChannel)? {
        try await wait(for: id) { entry in
            guard let entry else { return .some(nil) }
            if let channel = entry.channel { return .some(channel) }
            return entry.isOver ? .some(nil) : nil
        }
    }

    /// Returns when the command's end is written down. Throws `CancellationError`.
    func ended(_ id: String) async throws {
        try await wait(for: id) { $0?.isOver ?? true ? () : nil }
    }

    /// The client does not read any more. False when the command is over, so that the channel is the caller's to release.
    @discardableResult
    func leave(_ id: String) -> Bool {
        var goesOn = false
        change(id) { entry in
            goesOn = !entry.isOver
            entry.isRead = false
        }
        // It cannot come to life again, so nothing can have happened in between.
        if !goesOn { remove(id) }
        return goesOn
    }

    /// The channel to resize; `nil` while there is none yet, and the size is then used as soon as there is.
    func resizing(_ id: String, to size: TerminalSize) -> (any SessionChannel)? {
        let (isClaimed, channel) = entries.withLockedValue { entries in
            entries[id]?.size = size
            return (entries[id] != nil, entries[id]?.channel)
        }
        if !isClaimed {
            earlySizes.withLockedValue { sizes in
                if sizes.count >= ExecSessions.maximumEarlySizes { sizes = [:] }
                sizes[id] = size
            }
        }
        return channel
    }

    /// 0 = not known, or not running.
    func pid(of id: String) -> Int {
        entries.withLockedValue { entries in
            entries[id].flatMap { $0.isOver ? nil : $0.channel?.processID }
        } ?? 0
    }

    // MARK: the service

    /// Until cancelled.
    func run(_ backend: Backend) async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.lookForAll(backend) }
            for await work in work {
                group.addTask { await self.carry(work, backend) }
            }
            group.cancelAll()
        }
    }

    private func lookForAll(_ backend: Backend) async {
        do throws(StoreError) {
            for exec in try await backend.store.openExecs() {
                guard let record = try await backend.store.load(exec.uid)?.record else { continue }
                look(for: exec, record)
            }
        } catch {
            // They are looked for again when somebody inspects them.
            backend.logger.warning(
                "executed commands of the last life were not looked for", metadata: ["error": "\(error)"])
        }
    }

    /// One command from its beginning, or its finding, to its end.
    private func carry(_ work: Work, _ backend: Backend) async {
        let id = work.exec.id
        var channel: (any SessionChannel)?
        defer { if !finish(id) { channel?.release() } }
        var isKnown = work.isKnown
        var pause = ExecSessions.firstPause
        while !Task.isCancelled {
            do throws(SessionError) {
                let opened = try await backend.sessions.open(
                    .exec(work.request), name: id, uid: work.exec.uid, boot: BootID(work.exec.bootID), isKnown: isKnown)
                channel = opened
                isKnown = true
                pause = ExecSessions.firstPause
                let result = try await follow(opened, work.exec, backend)
                return await keep(ExecResult(result, at: backend.clock()), of: work, backend)
            } catch {
                channel?.release()
                channel = nil
                if error.code == .cancelled { return }
                if let result = ExecResult(error, wasBegun: isKnown, at: backend.clock()) {
                    return await keep(result, of: work, backend)
                }
            }
            // Whoever read the old channel is told by that; what comes now is nobody's.
            change(id) { entry in
                entry.channel = nil
                entry.isRead = false
            }
            do throws(StoreError) {
                guard let record = try await backend.store.load(work.exec.uid)?.record else { return }
                // Nobody can be asked, and what it was beside is over.
                if record.runningAttempt?.token != work.exec.token {
                    let why = "the container's run has ended, and its agent did not tell how the command did"
                    let result = ExecResult(exitCode: 137, finishedAt: backend.clock(), message: why)
                    return await keep(result, of: work, backend)
                }
            } catch {
                // The store cannot be read now: the next round asks again.
            }
            // Back-off: nothing tells when an agent that could not be reached can be. Cancelled with the service.
            do { try await Task.sleep(for: pause) } catch { return }
            pause = min(pause * 2, ExecSessions.longestPause)
        }
    }

    /// Hands the channel to whoever waits for it, and returns when the command has ended.
    private func follow(
        _ channel: any SessionChannel, _ exec: ExecRecord, _ backend: Backend
    ) async throws(SessionError) -> SessionResult {
        let id = exec.id
        let size = entries.withLockedValue { $0[id]?.size }
        change(id) { $0.channel = channel }
        if let size { await channel.tryResize(to: size) }
        let result = await withTaskGroup(of: Result<SessionResult, SessionError>?.self) { group in
            group.addTask {
                do throws(SessionError) { return .success(try await channel.result()) } catch { return .failure(error) }
            }
            group.addTask {
                await self.drain(channel, id)
                return nil
            }
            group.addTask {
                await self.endWithRun(channel, exec, backend)
                return nil
            }
            defer { group.cancelAll() }
            while let ended = await group.next() {
                if let ended { return ended }
            }
            return .failure(SessionError(.cancelled))
        }
        return try result.get()
    }

    /// Reads and drops output from when no client reads it.
    private func drain(_ channel: any SessionChannel, _ id: String) async {
        do {
            try await wait(for: id) { $0?.isRead == true ? nil : () }
            while try await channel.read() != nil {}
        } catch {
            // The result tells what became of the channel.
        }
    }

    /// Kills the command when the run that it is beside has ended: Docker's containers end with all their processes, ours stay for the next run.
    private func endWithRun(_ channel: any SessionChannel, _ exec: ExecRecord, _ backend: Backend) async {
        do {
            try await backend.wait(for: exec.uid) { record in
                record?.runningAttempt?.token == exec.token ? nil : ()
            }
            try await channel.signal("KILL")
        } catch {
            // It has ended, or the result tells what is wrong with the channel.
        }
    }

    private func keep(_ result: ExecResult, of work: Work, _ backend: Backend) async {
        let id = work.exec.id
        do throws(StoreError) {
            var operations: [Transaction.Operation] = [.finishExec(id: id, result)]
            if try await backend.store.exec(id)?.result == nil,
                let record = try await backend.store.load(work.exec.uid)?.record
            {
                let more = ["execID": id, "exitCode": String(result.exitCode)]
                operations.append(.addEvent(EngineEvent(at: result.finishedAt, "exec_die", of: record, more)))
            }
            try await backend.store.commit(Transaction(origin: .user, operations))
        } catch {
            // The agent keeps it for a while, and it is asked again when somebody inspects the command.
            backend.logger.warning(
                "the end of an executed command was not written down",
                metadata: ["key": "\(work.exec.uid)", "error": "\(error)"])
        }
    }

    // MARK: entries

    @discardableResult
    private func change(_ id: String, _ body: (inout Entry) -> Void) -> Bool {
        let waiters: [AsyncStream<Never>.Continuation]? = entries.withLockedValue { entries in
            guard var entry = entries[id] else { return nil }
            body(&entry)
            let waiters = entry.waiters
            entry.waiters = []
            entries[id] = entry
            return waiters
        }
        for waiter in waiters ?? [] { waiter.finish() }
        return waiters != nil
    }

    /// Whether a client reads the output, which has the channel from then on.
    private func finish(_ id: String) -> Bool {
        var isRead = false
        change(id) { entry in
            entry.isOver = true
            isRead = entry.isRead
        }
        if !isRead { remove(id) }
        return isRead
    }

    private func remove(_ id: String) {
        let waiters = entries.withLockedValue { $0.removeValue(forKey: id)?.waiters }
        for waiter in waiters ?? [] { waiter.finish() }
    }

    /// `answer` is given the entry after each change, `nil` when there is none any more, which it must answer.
    private func wait<Answer>(for id: String, _ answer: (Entry?) -> Answer?) async throws -> Answer {
        while true {
            let (changed, waiter) = AsyncStream.makeStream(of: Never.self)
            let found: Answer? = entries.withLockedValue { entries in
                if let found = answer(entries[id]) { return found }
                entries[id]?.waiters.append(waiter)
                return nil
            }
            if let found { return found }
            for await _ in changed {}
            try Task.checkCancellation()
        }
    }
}

extension SessionChannel {
    /// Of an exec, if it has a process.
    var processID: Int? { facts["pid"].flatMap { Int($0) } }

    /// A size is for show, so nothing fails with it.
    func tryResize(to size: TerminalSize) async {
        do throws(SessionError) {
            try await resize(to: size)
        } catch {
            // The command has ended, or the connection says so elsewhere.
        }
    }
}

extension ExecResult {
    init(_ result: SessionResult, at instant: Instant) {
        let usual = result.failure == .notFound ? 127 : 126
        self.init(
            exitCode: result.exitCode ?? (result.failure == nil ? 0 : usual), finishedAt: instant,
            message: result.failure == nil ? nil : result.message)
    }
}
