import AgentLink
import AgentProtocol
import AzureSimulator
import NIOCore

/// One life's way to the agents: through the World's front end, with delays and losses.
struct SimulatedAgents: AgentAPI {
    let life: Life
    let run: SimulationRun

    func hello(_ endpoint: AgentEndpoint, timeout: Duration) async throws(AgentError) -> AgentHello {
        let container = try await reach(endpoint, "hello", timeout: timeout)
        run.judge.greeted(site: container.site)
        let hello = AgentHello(boot: container.boot, version: "simulated")
        try await returns("hello")
        return hello
    }

    func startRun(
        _ endpoint: AgentEndpoint, boot: BootID, token: RunToken, request: RunRequest
    ) async throws(AgentError) -> RunReport {
        let container = try await reach(endpoint, "start", timeout: .seconds(30))
        try check(container, boot, "start")
        let report = try container.start(token, request)
        if life.crashesAfterAgentCall() { run.crash(life, .afterRequest) }
        try await returns("start")
        return report
    }

    func readRun(
        _ endpoint: AgentEndpoint, boot: BootID, token: RunToken, offset: UInt64, wait: Duration
    ) async throws(AgentError) -> (RunReport, frames: ByteBuffer) {
        let container = try await reach(endpoint, "read", timeout: wait + .seconds(30))
        try check(container, boot, "read")
        let (report, frames) = try await container.read(token, offset: offset, wait: wait)
        try await returns("read")
        return (report, frames)
    }

    func stop(
        _ endpoint: AgentEndpoint, boot: BootID, token: RunToken, signal: String, grace: Duration
    ) async throws(AgentError) {
        let container = try await reach(endpoint, "stop", timeout: .seconds(30))
        try check(container, boot, "stop")
        try container.stop(token, grace: grace, isKill: signal == "KILL" || signal == "9")
        try await returns("stop")
    }

    // MARK: the way

    /// An agent that says that it is another one has answered all the same.
    private func check(_ container: Container, _ boot: BootID, _ operation: String) throws(AgentError) {
        do throws(AgentError) {
            try container.check(boot, operation)
        } catch {
            run.judge.greeted(site: container.site)
            throw error
        }
    }

    /// The container that takes the request.
    private func reach(
        _ endpoint: AgentEndpoint, _ what: String, timeout: Duration
    ) async throws(AgentError) -> Container {
        try await travel(what)
        if run.dice.chance(run.chaos.agentRequestLoss) {
            run.noteFault("agent-request-lost")
            throw AgentError(.unreachable, operation: what)
        }
        let host = String(endpoint.baseURL.dropFirst("https://".count))
        switch await run.cloud.ask(timeout: timeout, { .visit($0, host: host) }) {
        case .answer(let page): throw AgentError(.notReady(httpStatus: page.status), operation: what)
        case .reset: throw AgentError(.unreachable, operation: what)
        case .timedOut: throw AgentError(.timedOut, operation: what)
        case .cancelled: throw AgentError(.cancelled, operation: what)
        case .forward(let instance):
            guard life.isAlive, !Task.isCancelled else { throw AgentError(.cancelled, operation: what) }
            guard let container = run.cloud.containers[instance], container.isAlive else {
                throw AgentError(.notReady(httpStatus: 502), operation: what)
            }
            guard container.secret == endpoint.secret else {
                throw AgentError(.notReady(httpStatus: 401), operation: what)
            }
            run.trace.note("life \(life.number) agent \(what) \(container.site)")
            run.judge.asks(what, site: container.site, life: life)
            return container
        }
    }

    private func returns(_ what: String) async throws(AgentError) {
        if run.dice.chance(run.chaos.agentReplyLoss) {
            run.noteFault("agent-reply-lost")
            throw AgentError(run.dice.chance(0.5) ? .timedOut : .unreachable, operation: what)
        }
        if run.dice.chance(run.chaos.agentLateness) {
            run.noteFault("agent-late")
            do { try await run.time.pause(run.dice.milliseconds(1_000...20_000)) } catch {
                throw AgentError(.cancelled, operation: what)
            }
        }
        try await travel(what)
    }

    private func travel(_ what: String) async throws(AgentError) {
        do { try await run.time.pause(run.latency()) } catch { throw AgentError(.cancelled, operation: what) }
        guard life.isAlive, !Task.isCancelled else { throw AgentError(.cancelled, operation: what) }
    }
}
