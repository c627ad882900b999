import AgentProtocol
import Glibc
import NIOConcurrencyHelpers
import NIOPosix

/// The container's standard output and error, for what is copied there: a thread of its own writes, so that a console that is slow or takes nothing
/// makes nobody wait, and what waits for it is bounded.
///
/// Its descriptors stay as they are: made non-blocking they would be so for the commands too, which share them.
final class Console: Sendable {
    /// What may wait for a slow console: a second or more of a busy command's output.
    static let usualBoundBytes = 1 << 20

    private let boundBytes: Int
    private let thread = NIOThreadPool(numberOfThreads: 1)
    private let state = NIOLockedValueBox(State())

    private struct State {
        var waiting: [Batch] = []
        var waitingBytes = 0
        var isWriting = false
        /// A descriptor that takes nothing any more.
        var broken: Set<Int32> = []
    }

    /// Whole lines, written at once.
    private struct Batch {
        let descriptor: Int32
        var bytes: [UInt8]
    }

    init(boundBytes: Int = Console.usualBoundBytes) {
        self.boundBytes = boundBytes
        thread.start()
    }

    /// Whether nothing waits and nothing is being written.
    var isIdle: Bool { state.withLockedValue { !$0.isWriting } }

    /// Takes a line, at most as long as ``ConsoleLine/maximumBytes``.
    /// - Parameter isUrgent: taken even beyond the bound.
    /// - Returns: false if there is no room for it.
    func write(_ line: [UInt8], to descriptor: Int32, isUrgent: Bool = false) -> Bool {
        let (isTaken, starts) = state.withLockedValue { state -> (Bool, Bool) in
            // Where nobody listens nothing is missing.
            if state.broken.contains(descriptor) { return (true, false) }
            guard isUrgent || state.waitingBytes + line.count <= boundBytes else { return (false, false) }
            state.waitingBytes += line.count
            if let last = state.waiting.indices.last, state.waiting[last].descriptor == descriptor,
                state.waiting[last].bytes.count + line.count <= ConsoleLine.maximumBytes
            {
                state.waiting[last].bytes += line
            } else {
                state.waiting.append(Batch(descriptor: descriptor, bytes: line))
            }
            defer { state.isWriting = true }
            return (true, !state.isWriting)
        }
        if starts {
            thread.submit { [self] itemState in
                // Cancelled with the pool, which ends with the process.
                if itemState == .active { writeAll() }
            }
        }
        return isTaken
    }

    /// Until nothing waits any more.
    private func writeAll() {
        while true {
            let batches = state.withLockedValue { state -> [Batch] in
                defer { state.waiting = [] }
                if state.waiting.isEmpty { state.isWriting = false }
                return state.waiting
            }
            if batches.isEmpty { return }
            for batch in batches {
                let isWritten = Self.write(batch)
                state.withLockedValue { state in
                    state.waitingBytes -= batch.bytes.count
                    if !isWritten { state.broken.insert(batch.descriptor) }
                }
            }
        }
    }

    private static func write(_ batch: Batch) -> Bool {
        var done = 0
        return batch.bytes.withUnsafeBytes { bytes in
            while done < bytes.count {
                let count = Glibc.write(batch.descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done)
                if count > 0 {
                    done += count
                } else if errno == EAGAIN {
                    // Somebody else has made it non-blocking.
                    var poll = pollfd(fd: batch.descriptor, events: Int16(POLLOUT), revents: 0)
                    _ = Glibc.poll(&poll, 1, -1)
                } else if errno != EINTR {
                    return false
                }
            }
            return true
        }
    }
}

/// One run's output on its way to the console.
struct ConsoleCopy {
    private let console: Console
    private let mark: String
    private var lines = ConsoleLines()
    private var lastSequence: UInt64 = 0
    /// Since the last line that the console has taken.
    private var dropped: UInt64 = 0
    private let standardOutput: Int32
    private let standardError: Int32

    init(
        _ console: Console, token: RunToken, standardOutput: Int32 = STDOUT_FILENO, standardError: Int32 = STDERR_FILENO
    ) {
        self.console = console
        self.standardOutput = standardOutput
        self.standardError = standardError
        mark = ConsoleLine.mark(of: token.hex)
    }

    mutating func add(_ stream: FrameStream, _ bytes: some Collection<UInt8>, at timestampNanoseconds: UInt64) {
        for line in lines.add(stream, bytes, at: timestampNanoseconds) { write(line) }
    }

    mutating func finish(at timestampNanoseconds: UInt64) {
        for line in lines.finish(at: timestampNanoseconds) { write(line) }
    }

    private mutating func write(_ line: ConsoleLines.Line) {
        // The end is one line, and says with the one before it what is missing.
        let isUrgent = line.content == .end
        if dropped > 0, write(.dropped(lines: dropped), at: line.timestampNanoseconds, isUrgent: isUrgent) {
            dropped = 0
        }
        guard dropped == 0, write(line.content, at: line.timestampNanoseconds, isUrgent: isUrgent) else {
            dropped += 1
            return
        }
    }

    /// False if the console has no room. Only what it takes has a number.
    private mutating func write(
        _ content: ConsoleLine.Content, at timestampNanoseconds: UInt64, isUrgent: Bool
    ) -> Bool {
        let descriptor = if case .output(.stderr, _, _) = content { standardError } else { standardOutput }
        let line = ConsoleLine(
            sequence: lastSequence + 1, timestampNanoseconds: timestampNanoseconds, content: content)
        guard console.write(line.encoded(mark: mark), to: descriptor, isUrgent: isUrgent) else { return false }
        lastSequence += 1
        return true
    }
}
