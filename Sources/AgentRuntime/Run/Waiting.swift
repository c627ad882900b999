import NIOCore

/// A request that waits for something to happen; it is answered once.
final class Waiting {
    private var answer: ((AgentReply) -> Void)?
    private var timer: Scheduled<Void>?

    init(answer: @escaping (AgentReply) -> Void) {
        self.answer = answer
    }

    var isAnswered: Bool { answer == nil }

    /// Answers with what `late` gives if nothing else has come by then.
    func limit(to amount: TimeAmount, on eventLoop: any EventLoop, late: @escaping () -> AgentReply) {
        timer = eventLoop.assumeIsolated().scheduleTask(in: amount) { [weak self] in self?.send(late()) }
    }

    func send(_ reply: AgentReply) {
        timer?.cancel()
        timer = nil
        let answer = self.answer
        self.answer = nil
        answer?(reply)
    }

    /// The caller has gone.
    func drop() {
        timer?.cancel()
        timer = nil
        answer = nil
    }
}
