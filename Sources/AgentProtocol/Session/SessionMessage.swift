/// Names a task: 32 to 64 lower-case hex digits that the daemon derives. An agent begins a name at most once in its
/// life, as far back as it remembers.
package typealias SessionTaskName = RunToken

/// One message of a session, in either direction. The bytes are in `SessionMessage+Codec.swift`.
package enum SessionMessage: Equatable, Sendable {
    // The handshake.
    case hello(SessionHello)
    case challenge(nonce: String, code: String)
    case proof(code: String)

    // Daemon to agent.
    case open(channel: UInt32, SessionOpen)
    case control(channel: UInt32, number: UInt32, SessionControl)

    // Agent to daemon.
    case opened(channel: UInt32, SessionOpened)
    /// The control of this number was carried out, or needs not be.
    case controlSeen(channel: UInt32, number: UInt32)
    case result(channel: UInt32, SessionResult)
    case refused(channel: UInt32, SessionRefusal)

    // Both.
    case data(channel: UInt32, stream: SessionStream, offset: UInt64, bytes: [UInt8])
    /// No more data behind the offset.
    case end(channel: UInt32, offset: UInt64)
    /// Consumed so far. ``SessionLimit/nothingMore`` from an agent: nobody reads that input any more.
    case ack(channel: UInt32, offset: UInt64)
    /// From the daemon: forget the channel. From the agent: it has.
    case release(channel: UInt32)
}

/// What bytes of a channel belong to.
package enum SessionStream: UInt8, Equatable, Sendable, CaseIterable {
    case input = 0
    case stdout = 1
    case stderr = 2
}

/// The agent's first message.
package struct SessionHello: Equatable, Sendable {
    package var version: String
    package var boot: BootID
    /// 32 hex digits.
    package var nonce: String

    package init(version: String, boot: BootID, nonce: String) {
        self.version = version
        self.boot = boot
        self.nonce = nonce
    }
}

/// Begins a task, or goes on with it.
package struct SessionOpen: Equatable, Sendable {
    package var name: SessionTaskName
    /// How much of the output the daemon has.
    package var offset: UInt64
    /// The daemon knows that the agent has begun this task: one that has forgotten it must not begin it again.
    package var isKnown: Bool
    package var task: SessionTask

    package init(name: SessionTaskName, offset: UInt64, isKnown: Bool, task: SessionTask) {
        self.name = name
        self.offset = offset
        self.isKnown = isKnown
        self.task = task
    }
}

/// The task has begun.
package struct SessionOpened: Equatable, Sendable {
    /// How much of the input the agent has; ``SessionLimit/nothingMore`` when it wants none any more.
    package var inputOffset: UInt64
    /// From where output comes: what was asked for, or later if that is lost.
    package var outputOffset: UInt64
    /// The number of the last control that the agent has seen.
    package var controlsSeen: UInt32
    package var facts: [String: String]

    package init(inputOffset: UInt64, outputOffset: UInt64, controlsSeen: UInt32, facts: [String: String] = [:]) {
        self.inputOffset = inputOffset
        self.outputOffset = outputOffset
        self.controlsSeen = controlsSeen
        self.facts = facts
    }
}

/// What is done to a task's process.
package enum SessionControl: Equatable, Sendable {
    case resize(TerminalSize)
    /// A name without `SIG`, or a number. An unknown one does nothing.
    case signal(String)
}

/// Why a channel is not, or no longer, served.
package struct SessionRefusal: Equatable, Sendable {
    package enum Code: String, Equatable, Sendable, CaseIterable {
        /// As many tasks are open as may be.
        case busy
        /// The daemon knows the task, and the agent does not, or no more.
        case unknownTask
        /// Anything else; the text says what.
        case refused
    }

    package var code: Code
    /// For people.
    package var text: String

    package init(_ code: Code, _ text: String = "") {
        self.code = code
        self.text = text
    }
}

/// Bounds of a session that both ends rely on.
package enum SessionLimit {
    /// Largest payload of one `data` message.
    package static let dataBytes = 64 << 10
    /// How many bytes of one channel and direction may be sent and not yet consumed: what either end holds for the
    /// other, and enough for 200 MB/s at 5 ms.
    package static let windowBytes: UInt64 = 1 << 20
    /// Largest message. An `open` holds an argument list and an environment, as a run request does.
    package static let messageBytes = AgentLimit.requestBodyBytes + 4096
    /// How many tasks of a session may be open at once; each may hold two windows.
    package static let openTasks = 64
    /// How many results of released commands an agent remembers.
    package static let keptResults = 256
    /// How many controls may be under way. A person's terminal makes some dozens when its window is dragged.
    package static let unseenControls = 256
    /// The offset that stands for "no more of it".
    package static let nothingMore = UInt64.max
    /// How often each end pings: Azure's front end drops connections that are idle for about 4 minutes. An end that got
    /// nothing at all for two intervals takes the connection for broken.
    package static let pingSeconds = 25
    /// How long an agent keeps a channel's place for a daemon that does not come back.
    package static let abandonedSeconds = 120
    /// The path, behind the site's address or the callback's.
    package static let path = "/skls/v1/session"
}
