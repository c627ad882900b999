import AgentProtocol
import NIOCore

/// Tells the figures of use, each second until it is released. A line that nobody has room for is left out.
final class StatsWork: SessionWork {
    private let side: SessionTaskSide
    private let once: Bool
    private let eventLoop: any EventLoop
    private var timer: Scheduled<Void>?

    private static let interval = TimeAmount.seconds(1)

    init(_ side: SessionTaskSide, once: Bool, eventLoop: any EventLoop) {
        self.side = side
        self.once = once
        self.eventLoop = eventLoop
    }

    func start() {
        side.began()
        side.inputClosed()
        tell()
    }

    func released() {
        timer?.cancel()
        timer = nil
    }

    private func tell() {
        if side.hasRoom { side.output(.stdout, Array(Usage().line().utf8)) }
        if once {
            side.ended(SessionResult())
            side.outputEnded()
        } else {
            timer = eventLoop.assumeIsolated().scheduleTask(in: Self.interval) { [weak self] in self?.tell() }
        }
    }
}
