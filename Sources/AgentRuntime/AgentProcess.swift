import AgentProtocol
import Glibc
import NIOCore
import NIOPosix

/// The whole life of an agent process.
package enum AgentProcess {
    /// Reads the environment, listens, and waits for signals until the platform ends the container.
    ///
    /// Exit codes: 0 when told to end, 64 for a setting that is missing or wrong, 69 if it cannot listen.
    package static func run() -> Never {
        let configuration: AgentConfiguration
        do throws(AgentConfiguration.Failure) {
            configuration = try AgentConfiguration { name in getenv(name).map { String(cString: $0) } }
        } catch {
            exit(64, error.description)
        }
        Native.hideEnvironment()
        keepStandardDescriptorsOpen()
        signal(SIGPIPE, SIG_IGN)
        // Blocked in every thread that is yet to start, and waited for in this one.
        var signals = sigset_t()
        sigemptyset(&signals)
        for number in [SIGTERM, SIGINT, SIGCHLD] { sigaddset(&signals, number) }
        pthread_sigmask(SIG_BLOCK, &signals, nil)

        let eventLoop = MultiThreadedEventLoopGroup(numberOfThreads: 1).next()
        let agent: NIOLoopBound<Agent>
        do {
            agent = try eventLoop.submit {
                NIOLoopBound(
                    Agent(configuration: configuration, eventLoop: eventLoop) { removeSocketAndExit(configuration) },
                    eventLoop: eventLoop)
            }.wait()
            _ = try eventLoop.flatSubmit {
                AgentServer.listen(agent.value, at: configuration.address, on: eventLoop)
            }.wait()
            eventLoop.execute { agent.value.started() }
        } catch {
            exit(69, "cannot listen: \(error)")
        }
        while true {
            var number: Int32 = 0
            guard sigwait(&signals, &number) == 0 else { continue }
            let isChild = number == SIGCHLD
            eventLoop.execute {
                if isChild { agent.value.childrenEnded() } else { agent.value.terminationAsked() }
            }
        }
    }

    private static func exit(_ code: Int32, _ reason: String) -> Never {
        let line = Array("skls-agent: \(reason)\n".utf8)
        write(STDERR_FILENO, line, line.count)
        Glibc.exit(code)
    }

    /// Without the usual tidying: other threads are at work.
    private static func removeSocketAndExit(_ configuration: AgentConfiguration) -> Never {
        if case .unixSocket(let path) = configuration.address { unlink(path) }
        _exit(0)
    }

    /// A descriptor below 3 that something else is given would be taken for the command's.
    private static func keepStandardDescriptorsOpen() {
        for descriptor in 0...2 where fcntl(Int32(descriptor), F_GETFD) < 0 { _ = open("/dev/null", O_RDWR) }
    }
}
