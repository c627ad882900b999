import AgentProtocol

/// Tells what lies at a path.
final class StatWork: SessionWork {
    private let side: SessionTaskSide
    private let path: String

    init(_ side: SessionTaskSide, path: String) {
        self.side = side
        self.path = path
    }

    func start() {
        do throws(FileFailure) {
            side.ended(SessionResult(facts: try PathStatus(Array(path.utf8)).facts))
        } catch {
            side.ended(error.result)
        }
        side.inputClosed()
        side.outputEnded()
    }
}
