package import AgentProtocol

/// Carries a run's output from its agent into a log, and waits for its end.
package struct RunFollower: Sendable {
    private let client: any AgentAPI

    package init(client: any AgentAPI) {
        self.client = client
    }

    /// Reads from where the log ends until the run is over and read to its end, then seals the log.
    ///
    /// Nothing is retried: after an error the log holds what had arrived, and another call goes on from there. To call
    /// it again for a sealed log is harmless.
    /// - Returns: the final report.
    /// - Throws: what ``AgentClient/readRun(_:boot:token:offset:wait:)`` and ``OutputWriter`` throw.
    package func follow(
        _ endpoint: AgentEndpoint, boot: BootID, token: RunToken, into writer: OutputWriter
    ) async throws(AgentError) -> RunReport {
        while true {
            let (report, frames) = try await client.readRun(
                endpoint, boot: boot, token: token, offset: writer.nextOffset,
                wait: .seconds(AgentLimit.waitSeconds))
            try writer.append(frames, at: report.offset)
            if report.isOver(at: writer.nextOffset) {
                try writer.seal()
                return report
            }
        }
    }
}
