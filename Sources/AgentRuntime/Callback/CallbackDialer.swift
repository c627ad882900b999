import AgentProtocol
import Glibc
import NIOCore
import NIOPosix
import NIOSSL

/// Keeps the agent's call for its session up: dials, and again when the connection is gone. Lives on the event loop only.
final class CallbackDialer {
    private let configuration: CallbackConfiguration
    private let sessions: AgentSessions
    private let eventLoop: any EventLoop
    private var delay = CallbackDialer.firstDelay
    private var lastComplaint: String?
    /// Made with the first dial, since reading a container's certificates takes its time.
    private var tls: NIOSSLContext?

    private static let firstDelay = TimeAmount.milliseconds(100)
    private static let lastDelay = TimeAmount.seconds(5)
    private static let connectLimit = TimeAmount.seconds(10)

    init(_ configuration: CallbackConfiguration, sessions: AgentSessions, eventLoop: any EventLoop) {
        self.configuration = configuration
        self.sessions = sessions
        self.eventLoop = eventLoop
    }

    func dial() {
        let security: NIOSSLClientHandler?
        do {
            security = try makeSecurity()
        } catch {
            return failed("cannot set up TLS: \(error)")
        }
        let handler = NIOLoopBound(
            CallbackHandler(configuration, sessions: sessions, security: security) { [weak self] outcome in
                self?.ended(outcome)
            }, eventLoop: eventLoop)
        let bootstrap = ClientBootstrap(group: eventLoop).connectTimeout(Self.connectLimit).channelInitializer {
            channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(handler.value)
            }
        }
        let connection =
            if let relay = configuration.relay {
                bootstrap.connect(unixDomainSocketPath: relay)
            } else {
                bootstrap.connect(host: configuration.host, port: configuration.port)
            }
        connection.assumeIsolated().whenFailure { [weak self] error in self?.failed("cannot connect: \(error)") }
    }

    private func makeSecurity() throws -> NIOSSLClientHandler? {
        guard configuration.isSecure else { return nil }
        let context: NIOSSLContext
        if let tls {
            context = tls
        } else {
            var settings = TLSConfiguration.makeClientConfiguration()
            settings.minimumTLSVersion = .tlsv12
            // The authority is checked all the same, and the address below.
            if configuration.address != nil { settings.certificateVerification = .noHostnameVerification }
            if let authority = configuration.authority {
                settings.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(Array(authority.utf8)))
            }
            context = try NIOSSLContext(configuration: settings)
            tls = context
        }
        guard let address = configuration.address else {
            return try NIOSSLClientHandler(context: context, serverHostname: configuration.host)
        }
        // A name is sent, and looked for in the certificate, by the library; an address is not sent (RFC 6066 §3), and the library
        // would look for that of the connection's other end, which is the relay's. It hands the request out after this only.
        return try NIOSSLClientHandler._makeSSLClientHandler(context: context, serverHostname: nil) {
            certificate, channel in
            let isForAddress = certificate._subjectAlternativeNames().contains { name in
                name.nameType == .ipAddress && name.contents.elementsEqual(address)
            }
            return isForAddress
                ? channel.eventLoop.makeSucceededVoidFuture()
                : channel.eventLoop.makeFailedFuture(ForeignCertificate())
        }
    }

    private func ended(_ outcome: CallbackHandler.Outcome) {
        switch outcome {
        case .session:
            delay = Self.firstDelay
            lastComplaint = nil
            again()
        case .failed(let reason): failed(reason)
        }
    }

    /// The same complaint is made once.
    private func failed(_ reason: String) {
        if reason != lastComplaint {
            lastComplaint = reason
            let line = Array("skls-agent: callback \(configuration.authorityText): \(reason)\n".utf8)
            // A log that takes nothing is no reason not to try again.
            _ = Glibc.write(STDERR_FILENO, line, line.count)
        }
        again()
    }

    private func again() {
        let now = delay
        delay = min(delay * 2, Self.lastDelay)
        eventLoop.assumeIsolated().scheduleTask(in: now) { [weak self] in self?.dial() }
    }
}

private struct ForeignCertificate: Error, CustomStringConvertible {
    let description = "the certificate is not for this address"
}
