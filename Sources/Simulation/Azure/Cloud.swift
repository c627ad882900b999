import AzureSimulator

/// The simulated Azure in virtual time: feeds the World with what happens, carries out its effects, and keeps the
/// containers that it starts.
///
/// Unchecked: see `Once`.
final class Cloud: @unchecked Sendable {
    enum Outcome: Sendable {
        case answer(InProcessAzure.Answer)
        case forward(instance: String)
        case reset(faults: [String])
        case cancelled
        case timedOut
    }

    /// How containers behave.
    struct ContainerHabits: Sendable {
        var startMilliseconds = 200...2_000
        /// That a start ends before the container answers.
        var failure = 0.0
        /// That a container never answers.
        var silence = 0.0
    }

    private(set) var azure: InProcessAzure
    private(set) var containers: [String: Container] = [:]
    var habits = ContainerHabits()
    /// Told of every command that is executed, by the World's own journal.
    var onExecution: (_ site: String, _ token: String, _ boot: String) -> Void = { _, _, _ in }
    /// Told after each step of the World.
    var onStep: () -> Void = {}
    let time: VirtualTime
    let dice: Dice
    private let trace: Trace
    private var waiting: [UInt64: Once<Outcome>] = [:]
    private var lastRequest: UInt64 = 0

    init(_ settings: InProcessAzure.Settings, time: VirtualTime, dice: Dice, trace: Trace) throws(SimulatorError) {
        azure = try InProcessAzure(settings)
        self.time = time
        self.dice = dice
        self.trace = trace
    }

    // MARK: requests

    /// Applies a request to the World now. What comes back comes when the World says so.
    func ask(timeout: Duration, _ event: (UInt64) -> InProcessAzure.Event) async -> Outcome {
        let (id, outcome) = begin(event)
        return await wait(id, outcome, timeout: timeout)
    }

    /// The first half of ``ask(timeout:_:)``: from here on it is done, whoever waits for it.
    func begin(_ event: (UInt64) -> InProcessAzure.Event) -> (UInt64, Once<Outcome>) {
        lastRequest += 1
        let id = lastRequest
        let outcome = Once<Outcome>()
        waiting[id] = outcome
        step(event(id))
        return (id, outcome)
    }

    func wait(_ id: UInt64, _ outcome: Once<Outcome>, timeout: Duration) async -> Outcome {
        let cancel = time.after(timeout) { outcome.resolve(.timedOut) }
        let result = await outcome.wait(onCancel: .cancelled)
        cancel()
        if waiting.removeValue(forKey: id) != nil { step(.abandoned(id)) }
        return result
    }

    /// A request of somebody who is not a controller: it is not delayed, lost or judged.
    @discardableResult
    func outsider(_ method: String, site: String, _ suffix: String = "", body: String = "") -> Int {
        let base = "https://management.azure.com"
        let token = azure.token(atNanoseconds: time.steady)
        let request = InProcessAzure.Request(
            method: method, baseURL: base, host: "management.azure.com",
            path: "/subscriptions/\(InProcessAzure.subscriptionID)/resourceGroups/\(InProcessAzure.group)"
                + "/providers/Microsoft.Web/sites/\(site)\(suffix)",
            query: "api-version=2023-12-01" + (method == "DELETE" ? "&deleteEmptyServerFarm=false" : ""),
            headers: [("Authorization", "Bearer \(token)"), ("Content-Type", "application/json")],
            body: Array(body.utf8))
        let (id, outcome) = begin { .request($0, request) }
        waiting[id] = nil
        guard case .answer(let answer)? = outcome.peek else { return 0 }
        return answer.status
    }

    func setFaults(_ plan: FaultPlan) { azure.setFaults(plan) }

    func token() -> String { azure.token(atNanoseconds: time.steady) }

    // MARK: containers

    /// The container's first process ends.
    func end(_ instance: String) {
        guard let container = containers.removeValue(forKey: instance) else { return }
        trace.note("container \(instance.prefix(6)) of \(container.site) ends")
        container.end()
        step(.containerExited(instance: instance))
    }

    private func start(_ launch: InProcessAzure.Container) {
        let container = Container(launch, boot: dice.hex(32), time: time)
        let instance = launch.instance
        container.onExecution = { [weak self] token, boot in
            self?.step(
                .containerWrote(instance: instance, Array("skls-agent: exec token=\(token) boot=\(boot)\n".utf8)))
        }
        containers[instance] = container
        trace.note("container \(instance.prefix(6)) of \(launch.site) starts")
        let delay = dice.milliseconds(habits.startMilliseconds)
        if dice.chance(habits.failure) {
            time.after(delay) { [weak self] in self?.end(instance) }
        } else if !dice.chance(habits.silence) {
            time.after(delay) { [weak self] in
                guard let self, self.containers[instance] != nil else { return }
                self.trace.note("container \(instance.prefix(6)) of \(launch.site) is ready")
                self.step(.containerReady(instance: instance))
            }
        }
    }

    // MARK: steps

    private func step(_ event: InProcessAzure.Event) {
        for effect in azure.handle(event, atNanoseconds: time.steady) { carryOut(effect) }
        onStep()
    }

    private func carryOut(_ effect: InProcessAzure.Effect) {
        switch effect {
        case .reply(let id, let answer): settle(id, .answer(answer))
        case .replyLater(let id, let answer, let at):
            time.after(.nanoseconds(at - time.steady)) { [weak self] in self?.settle(id, .answer(answer)) }
        case .reset(let id, let faults): settle(id, .reset(faults: faults))
        case .forward(let id, let instance): settle(id, .forward(instance: instance))
        case .start(let launch): start(launch)
        case .stop(let instance, let grace):
            guard let container = containers[instance] else { return }
            container.isStopping = true
            // The agent passes TERM on and ends; the platform does not wait longer than the grace.
            let delay = grace > .zero ? min(grace, dice.milliseconds(1...4_000)) : .zero
            time.after(delay) { [weak self] in self?.end(instance) }
        case .wake(let site, let at):
            time.after(.nanoseconds(at - time.steady)) { [weak self] in self?.step(.woke(site: site)) }
        case .executed(let site, let token, let boot): onExecution(site, token, boot)
        }
    }

    private func settle(_ id: UInt64, _ outcome: Outcome) {
        waiting.removeValue(forKey: id)?.resolve(outcome)
    }
}
