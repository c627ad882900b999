package import AgentLink
import AgentProtocol
package import AzureClient
import DesiredState
import NIOConcurrencyHelpers

/// Carries out the machine's calls. Decides nothing: each answer or error becomes the one result that says what happened.
package struct CallPerformer: Sendable {
    private let sites: any SitesAPI
    private let writer: SiteWriter
    private let reader: SiteReader
    private let agents: any AgentAPI
    private let directory: AgentDirectory
    private let output: OutputStore
    private let runLog: RunLogReader?
    private let clock: @Sendable () -> Moment
    private let ids = NIOLockedValueBox(SystemRandomNumberGenerator())

    /// How long a front end may hold a request while the container starts: Azure cuts at 230 s (functions-timeout-duration, read 2026-01).
    private static let greetingTimeout: Duration = .seconds(240)

    package init(
        sites: any SitesAPI, agents: any AgentAPI, directory: AgentDirectory, output: OutputStore,
        runLog: RunLogReader? = nil, mountKeys: MountKeys? = nil, clock: @escaping @Sendable () -> Moment
    ) {
        self.runLog = runLog
        self.sites = sites
        let plans = PlanDirectory(sites: sites) { clock().steady }
        writer = SiteWriter(sites: sites, plans: plans, mountKeys: mountKeys)
        reader = SiteReader(sites: sites, plans: plans)
        self.agents = agents
        self.directory = directory
        self.output = output
        self.clock = clock
    }

    /// As in `PlanInput`.
    var runLogSettlesAfter: Duration? { runLog?.settlesAfter }

    /// A fresh one, for all requests of one call.
    func makeCorrelationID() -> CorrelationID {
        CorrelationID(ids.withLockedValue { GUID.random(using: &$0) })
    }

    /// `nil` when the task was cancelled: nothing is known then, and the next life of the daemon finds out.
    func perform(_ call: Call, lane: Lane, correlationID: CorrelationID) async -> CallResult? {
        await RequestPriority.$current.withValue(lane.priority) { await perform(call, correlationID: correlationID) }
    }

    private func perform(_ call: Call, correlationID: CorrelationID) async -> CallResult? {
        switch call {
        case .putSite(let design, let isUpdate):
            return await azure { () async throws(AzureError) in
                try await writer.write(design, isUpdate: isUpdate, correlationID: correlationID)
            }
        case .followOperation(let operation):
            return await azure { () async throws(AzureError) in
                try await writer.follow(operation, correlationID: correlationID)
            }
        case .readSite(let name):
            return await azure { () async throws(AzureError) in
                .siteRead(
                    try await sites.getSite(try SiteName(checking: name), correlationID: correlationID).map(
                        ObservedSite.init))
            }
        case .readDetails(let design, let namesWriter):
            return await azure { () async throws(AzureError) in
                try await reader.read(design, namesWriter: namesWriter, correlationID: correlationID)
            }
        case .deleteSite(let name):
            return await azure { () async throws(AzureError) in
                switch try await sites.deleteSite(try SiteName(checking: name), correlationID: correlationID) {
                case .deleted: .siteDeleted
                case .absent: .siteWasAbsent
                }
            }
        case .releaseSite(let name, let instance):
            return await azure { () async throws(AzureError) in
                try await writer.release(
                    try SiteName(checking: name), instance: instance, correlationID: correlationID)
            }
        case .readContainerLog(let name):
            return await azure { () async throws(AzureError) in
                let log = try await sites.containerLogs(try SiteName(checking: name), correlationID: correlationID)
                return .containerLogRead(StartDiagnosis(containerLog: log))
            }
        case .greetAgent(let address):
            return await agent(address) { endpoint throws(AgentError) in
                .agentGreeted(bootID: try await agents.hello(endpoint, timeout: CallPerformer.greetingTimeout).boot.hex)
            }
        case .postRun(let address, let bootID, let token, let spec):
            return await postRun(address, bootID, token, spec)
        case .followRun(let address, let bootID, let token, let key):
            return await followRun(address, bootID, token, key)
        case .stopRun(let address, let bootID, let token, let stop):
            return await stopRun(address, bootID, token, stop)
        case .readRunLog(let token, let openedAt):
            guard let runLog else {
                return .failed(.init(kind: .terminal(reason: "NoLogWorkspace"), message: "no log workspace is set"))
            }
            return await azure { () async throws(AzureError) in
                .runLogRead(try await runLog.find(token: token, openedAt: openedAt, correlationID: correlationID))
            }
        }
    }

    /// All sites of the scope with the steady time before the first page was asked for.
    func listSites() async -> ControllerEvent? {
        let startedAt = clock().steady
        let correlationID = makeCorrelationID()
        do throws(AzureError) {
            return .listed(
                startedAt: startedAt, try await sites.listSites(correlationID: correlationID).map(ObservedSite.init))
        } catch {
            return CallResult.Failure(error).map { .listFailed($0) }
        }
    }

    // MARK: Azure

    private func azure(_ body: () async throws(AzureError) -> CallResult) async -> CallResult? {
        do throws(AzureError) {
            return try await body()
        } catch {
            if error.isUnsent { return .notSent(retryAfter: error.retryAfter ?? .zero) }
            return CallResult.Failure(error).map { .failed($0) }
        }
    }

    // MARK: agents

    private func postRun(_ address: AgentAddress, _ bootID: String, _ token: String, _ spec: FunctionAppSpec) async
        -> CallResult?
    {
        let request = RunRequest(
            arguments: spec.command + spec.args, environment: spec.env.map { $0.name + "=" + $0.value },
            workingDirectory: spec.workingDir ?? "/", user: spec.user, opensStdin: spec.stdin,
            timeoutSeconds: spec.run.timeoutSeconds,
            // Clients tell the size when the command runs.
            terminal: spec.tty ? TerminalSize(rows: 0, columns: 0) : nil)
        return await agent(address) { endpoint throws(AgentError) in
            let (boot, token) = try ids(bootID, token)
            do throws(AgentError) {
                let report = try await agents.startRun(endpoint, boot: boot, token: token, request: request)
                // A command that ended already has output to be read first; one that never began has none.
                return .runReported(
                    RunReported(
                        acknowledgedAt: clock().wall, result: report.state == .failed ? result(of: report) : nil))
            } catch {
                guard case .invalidRequest(let why) = error.code else { throw error }
                let result = AttemptResult(outcome: .startFailed, exitCode: nil, finishedAt: clock().wall, message: why)
                return .runReported(RunReported(acknowledgedAt: clock().wall, result: result))
            }
        }
    }

    private func followRun(_ address: AgentAddress, _ bootID: String, _ token: String, _ key: OutputKey) async
        -> CallResult?
    {
        await agent(address) { endpoint throws(AgentError) in
            let (boot, token) = try ids(bootID, token)
            let writer = try output.writer(for: key)
            let report = try await RunFollower(client: agents).follow(endpoint, boot: boot, token: token, into: writer)
            return .runReported(RunReported(acknowledgedAt: clock().wall, result: result(of: report)))
        }
    }

    private func stopRun(_ address: AgentAddress, _ bootID: String, _ token: String, _ stop: StopRequest) async
        -> CallResult?
    {
        await agent(address) { endpoint throws(AgentError) in
            let (boot, token) = try ids(bootID, token)
            do throws(AgentError) {
                try await agents.stop(
                    endpoint, boot: boot, token: token, signal: stop.signal, grace: .seconds(stop.graceSeconds))
            } catch {
                // It is over already: what was wanted.
                guard case .ended = error.code else { throw error }
            }
            return .stopSent
        }
    }

    private func agent(
        _ address: AgentAddress, _ body: (AgentEndpoint) async throws(AgentError) -> CallResult
    ) async -> CallResult? {
        guard let endpoint = directory.endpoint(of: address.uid, hostName: address.hostName) else {
            return .agentNotReady(message: "the agent's address is not valid: \(address.hostName)")
        }
        do throws(AgentError) {
            return try await body(endpoint)
        } catch {
            switch error.code {
            case .cancelled: return nil
            case .bootChanged(let boot): return .bootChanged(bootID: boot.hex)
            case .unreachable, .notReady, .notProved, .timedOut, .stopping, .invalidReply:
                return .agentNotReady(message: error.description)
            case .unknownToken, .busy, .ended, .inputGap, .invalidRequest, .storage, .logSealed, .logRemoved:
                return .failed(.init(kind: .transient, message: error.description))
            }
        }
    }

    private func ids(_ bootID: String, _ token: String) throws(AgentError) -> (BootID, RunToken) {
        guard let boot = BootID(bootID), let token = RunToken(token) else {
            throw AgentError(.invalidRequest("stored boot id or token is damaged"), operation: "read attempt")
        }
        return (boot, token)
    }

    private func result(of report: RunReport) -> AttemptResult {
        let outcome: AttemptOutcome =
            switch (report.state, report.reason) {
            case (.failed, _): .startFailed
            case (_, .deadline): .deadlineExceeded
            default: report.exitCode == 0 ? .succeeded : .failed
            }
        let message = outcome == .deadlineExceeded ? "ended by run.timeoutSeconds" : report.message
        return AttemptResult(outcome: outcome, exitCode: report.exitCode, finishedAt: clock().wall, message: message)
    }
}
