/// How both ends of a connection prove, freshly and to each other, that they hold the secret. The request that opened
/// the connection proves less: it could be one that somebody recorded.
private enum SessionCode {
    static func daemon(_ secret: AgentSecret, boot: BootID, agentNonce: String, daemonNonce: String) -> [UInt8] {
        secret.code(["session-daemon", boot.hex, agentNonce, daemonNonce])
    }

    static func agent(_ secret: AgentSecret, boot: BootID, agentNonce: String, daemonNonce: String) -> [UInt8] {
        secret.code(["session-agent", boot.hex, agentNonce, daemonNonce])
    }

    static func verify(_ claimed: String, _ code: [UInt8]) -> Bool {
        Hex.decode(claimed).map { equalInConstantTime($0, code) } ?? false
    }
}

/// What a handshake has come to.
package enum SessionHandshakeStep: Equatable, Sendable {
    /// Send this, and wait for the next message.
    case send(SessionMessage)
    /// The other end is who it should be. Send this first, if anything.
    case done(send: SessionMessage?)
    /// Close the connection; nothing that came over it may be believed.
    case failed(SessionHandshakeFailure)
}

package enum SessionHandshakeFailure: Equatable, Sendable {
    /// The other end does not hold the secret.
    case notProved
    /// An agent of another life than was expected. Not proved: whoever cares asks by a signed request.
    case otherBoot(BootID)
    /// The other end said something else than comes next.
    case unexpected
}

/// The agent's end of the handshake; it speaks first.
package struct AgentHandshake: Sendable {
    private let secret: AgentSecret
    private let boot: BootID
    private let nonce: String
    private let version: String
    private var isOver = false

    /// - Parameter nonce: 32 hex digits, fresh (``RequestSignature/freshNonce()``).
    package init(secret: AgentSecret, boot: BootID, nonce: String, version: String) {
        self.secret = secret
        self.boot = boot
        self.nonce = nonce
        self.version = version
    }

    package var hello: SessionMessage { .hello(SessionHello(version: version, boot: boot, nonce: nonce)) }

    package mutating func received(_ message: SessionMessage) -> SessionHandshakeStep {
        guard !isOver, case .challenge(let daemonNonce, let code) = message else { return .failed(.unexpected) }
        isOver = true
        let expected = SessionCode.daemon(secret, boot: boot, agentNonce: nonce, daemonNonce: daemonNonce)
        guard SessionCode.verify(code, expected) else { return .failed(.notProved) }
        let own = SessionCode.agent(secret, boot: boot, agentNonce: nonce, daemonNonce: daemonNonce)
        return .done(send: .proof(code: Hex.encode(own)))
    }
}

/// The daemon's end of the handshake.
package struct DaemonHandshake: Sendable {
    private let secret: AgentSecret
    private let boot: BootID
    private let nonce: String
    private var expected: [UInt8]?
    private var isOver = false

    /// - Parameters:
    ///   - boot: the life of the agent that the session is for.
    ///   - nonce: 32 hex digits, fresh (``RequestSignature/freshNonce()``).
    package init(secret: AgentSecret, boot: BootID, nonce: String) {
        self.secret = secret
        self.boot = boot
        self.nonce = nonce
    }

    package mutating func received(_ message: SessionMessage) -> SessionHandshakeStep {
        switch (message, expected) {
        case (.hello(let hello), nil) where !isOver:
            guard hello.boot == boot else {
                isOver = true
                return .failed(.otherBoot(hello.boot))
            }
            expected = SessionCode.agent(secret, boot: boot, agentNonce: hello.nonce, daemonNonce: nonce)
            let own = SessionCode.daemon(secret, boot: boot, agentNonce: hello.nonce, daemonNonce: nonce)
            return .send(.challenge(nonce: nonce, code: Hex.encode(own)))
        case (.proof(let code), let expected?) where !isOver:
            isOver = true
            return SessionCode.verify(code, expected) ? .done(send: nil) : .failed(.notProved)
        default:
            isOver = true
            return .failed(.unexpected)
        }
    }
}
