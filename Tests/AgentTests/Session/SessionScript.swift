import AgentProtocol
import Testing

/// Both ends of a session with applications behind them and a connection between that breaks where it is told to: the
/// daemon sends text through a command that echoes it, half to each stream.
///
/// Every message passes the codec. What a broken connection had under way is lost in both directions.
struct SessionScript {
    var daemon = DaemonSessionMachine()
    var agent = AgentSessionMachine()
    private var toAgent: [[UInt8]] = []
    private var toDaemon: [[UInt8]] = []
    private(set) var deliveredMessages = 0
    private(set) var breaks: Set<Int>
    private var random: SplitMix

    // The daemon's caller.
    let task: SessionTask
    let name = SessionTaskName.test
    private var channel: UInt32 = 0
    private var unwritten: ArraySlice<UInt8>
    private let pieceBytes: Int
    private var isInputEnded = false
    private var hasRoom = true
    private var unconsumed: [UInt64] = []
    private var isReleased = false
    var controls: [SessionControl]

    // What came of it.
    private(set) var begun = 0
    private(set) var openedFacts: [[String: String]] = []
    /// What arrived, in order, over both streams, and of each.
    private(set) var output: [UInt8] = []
    private(set) var streams: [FrameStream: [UInt8]] = [:]
    /// What the command wrote to each.
    private(set) var written: [FrameStream: [UInt8]] = [:]
    private(set) var outputEnds = 0
    private(set) var results: [SessionResult] = []
    private(set) var carriedOut: [SessionControl] = []
    private(set) var refusals: [SessionRefusal] = []
    private(set) var released = 0
    private(set) var failure: String?

    // The agent's application.
    private var unread: [[UInt8]] = []
    private var isAgentInputEnded = false
    private var isFinished = false

    /// - Parameters:
    ///   - breaks: after how many delivered messages, counted over both directions, the connection breaks.
    ///   - seed: of the order in which things happen; nil = each in turn.
    init(
        input: [UInt8], pieceBytes: Int, breaks: Set<Int> = [], controls: [SessionControl] = [], seed: UInt64 = 0
    ) {
        task = .exec(ExecRequest(arguments: ["echo"], opensStdin: true))
        unwritten = input[...]
        self.pieceBytes = pieceBytes
        self.breaks = breaks
        self.controls = controls
        random = SplitMix(state: seed)
    }

    /// Runs until the release has arrived, or nothing can happen any more.
    mutating func run() {
        daemonDoes(daemon.connected())
        agent.connected()
        let (opened, actions) = daemon.open(task, name: name)
        channel = opened
        daemonDoes(actions)
        var idle = 0
        while daemon.needsConnection, failure == nil, idle < 512 {
            if breaks.remove(deliveredMessages) != nil { breakConnection() }
            idle = step() ? 0 : idle + 1
        }
        if idle == 512 { failure = "nothing happens any more" }
    }

    private mutating func breakConnection() {
        toAgent = []
        toDaemon = []
        daemon.disconnected()
        agent.disconnected()
        agent.connected()
        daemonDoes(daemon.connected())
    }

    /// One thing that may happen. False if it could not.
    private mutating func step() -> Bool {
        switch random.next() % 5 {
        case 0:
            guard !toAgent.isEmpty else { return false }
            let bytes = toAgent.removeFirst()
            deliveredMessages += 1
            if let message = decode(bytes) { agentDoes(agent.received(message)) }
        case 1:
            guard !toDaemon.isEmpty else { return false }
            let bytes = toDaemon.removeFirst()
            deliveredMessages += 1
            if let message = decode(bytes) { daemonDoes(daemon.received(message)) }
        case 2: return commandStep()
        case 3: return callerStep()
        default:
            guard !unconsumed.isEmpty else { return false }
            daemonDoes(daemon.consumed(channel, upTo: unconsumed.removeFirst()))
        }
        return true
    }

    private mutating func callerStep() -> Bool {
        guard !openedFacts.isEmpty else { return false }
        if !controls.isEmpty {
            daemonDoes(daemon.control(channel, controls.removeFirst()) ?? [.broken("too many controls")])
        } else if !unwritten.isEmpty {
            guard hasRoom else { return false }
            let piece = Array(unwritten.prefix(pieceBytes))
            unwritten = unwritten.dropFirst(piece.count)
            daemonDoes(daemon.write(channel, piece))
            hasRoom = daemon.hasRoom(channel)
        } else if !isInputEnded {
            isInputEnded = true
            daemonDoes(daemon.endInput(channel))
        } else if outputEnds > 0, !results.isEmpty, !isReleased {
            isReleased = true
            daemonDoes(daemon.release(channel))
        } else {
            return false
        }
        return true
    }

    private mutating func commandStep() -> Bool {
        if !unread.isEmpty, agent.hasRoom(name) {
            let piece = unread.removeFirst()
            let half = piece.count / 2
            written[.stdout, default: []] += piece[..<half]
            written[.stderr, default: []] += piece[half...]
            agentDoes(agent.output(name, .stdout, Array(piece[..<half])))
            agentDoes(agent.output(name, .stderr, Array(piece[half...])))
            agentDoes(agent.inputConsumed(name, piece.count))
        } else if unread.isEmpty, isAgentInputEnded, !isFinished {
            isFinished = true
            agentDoes(agent.ended(name, SessionResult(exitCode: 7)))
            agentDoes(agent.outputEnded(name))
        } else {
            return false
        }
        return true
    }

    private mutating func daemonDoes(_ actions: [DaemonSessionMachine.Action]) {
        for action in actions {
            switch action {
            case .send(let message): toAgent.append(message.encoded())
            case .opened(_, let facts): openedFacts.append(facts)
            case .output(_, let stream, let offset, let bytes):
                output += bytes
                streams[stream, default: []] += bytes
                unconsumed.append(offset + UInt64(bytes.count))
            case .outputEnded: outputEnds += 1
            case .room: hasRoom = true
            case .inputClosed: break
            case .result(_, let result): results.append(result)
            case .refused(_, let refusal): refusals.append(refusal)
            case .broken(let reason): failure = "daemon: \(reason)"
            }
        }
    }

    private mutating func agentDoes(_ actions: [AgentSessionMachine.Action]) {
        for action in actions {
            switch action {
            case .send(let message): toDaemon.append(message.encoded())
            case .begin(let name, _):
                begun += 1
                agentDoes(agent.began(name, facts: ["pid": "17"]))
            case .input(_, let bytes): unread.append(bytes)
            case .inputEnded: isAgentInputEnded = true
            case .control(_, let control): carriedOut.append(control)
            case .room: break
            case .released: released += 1
            case .broken(let reason): failure = "agent: \(reason)"
            }
        }
    }

    private mutating func decode(_ bytes: [UInt8]) -> SessionMessage? {
        do {
            return try bytes.withUnsafeBytes { try SessionMessage(decoding: $0) }
        } catch {
            failure = "\(error)"
            return nil
        }
    }
}

/// Sebastiano Vigna's SplitMix64 (public domain): small and the same everywhere.
struct SplitMix {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}
