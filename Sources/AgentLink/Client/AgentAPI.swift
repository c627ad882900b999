package import AgentProtocol
package import NIOCore

/// What the controller needs of agents. ``AgentClient`` is the production implementation, and says what each request
/// guarantees and throws; a simulation puts an in-process one in its place.
package protocol AgentAPI: Sendable {
    func hello(_ endpoint: AgentEndpoint, timeout: Duration) async throws(AgentError) -> AgentHello

    func startRun(
        _ endpoint: AgentEndpoint, boot: BootID, token: RunToken, request: RunRequest
    ) async throws(AgentError) -> RunReport

    func readRun(
        _ endpoint: AgentEndpoint, boot: BootID, token: RunToken, offset: UInt64, wait: Duration
    ) async throws(AgentError) -> (RunReport, frames: ByteBuffer)

    func stop(
        _ endpoint: AgentEndpoint, boot: BootID, token: RunToken, signal: String, grace: Duration
    ) async throws(AgentError)
}
