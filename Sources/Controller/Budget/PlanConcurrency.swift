/// How many writes one hosting plan is given at a time: all that it can hold until it says that it is busy, then half, and one more
/// after as many successes as the bound is high (additive increase, multiplicative decrease; RFC 5681).
struct PlanConcurrency {
    enum Ending: Hashable {
        case success
        /// The plan or its webspace said that it is busy with something else (codes 592xx, or 409 and 429 that mean this).
        case busy
        case other
    }

    /// A plan holds at most 100 sites, so that more is never needed; and less is not asked for before somebody has refused: a
    /// "busy" costs one write and ten seconds of one site.
    static let most = 100

    private(set) var bound = PlanConcurrency.most
    private(set) var underWay = 0
    private var successes = 0
    /// Rises with every decrease: answers to what was begun before it say nothing new.
    private(set) var epoch = 0
    /// How long writes that succeed take; nil before the first has. Decides nothing: for forecasts.
    private var usual: Duration?

    var hasRoom: Bool { underWay < bound }
    /// As if nothing had ever been sent there.
    var isFresh: Bool { underWay == 0 && bound == PlanConcurrency.most }

    mutating func begin() { underWay += 1 }

    /// When one more write may begin, about, if so many begin before it; nil while nothing is known about that.
    func turn(after others: Int) -> Duration? {
        usual.map { $0 * (others + 1) / bound }
    }

    /// - Parameter duration: how long the write held its place.
    mutating func end(_ ending: Ending, begunIn epoch: Int, after duration: Duration) {
        underWay -= 1
        switch ending {
        case .success:
            usual = usual.map { ($0 * 7 + duration) / 8 } ?? duration
            successes += 1
            guard successes >= bound else { return }
            successes = 0
            bound = min(bound + 1, PlanConcurrency.most)
        case .busy:
            guard epoch == self.epoch else { return }
            self.epoch += 1
            successes = 0
            bound = max(1, min(bound, underWay + 1) / 2)
        case .other: break
        }
    }
}
