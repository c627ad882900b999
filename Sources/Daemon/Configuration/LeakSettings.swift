import Controller

extension SweepSettings {
    /// Bounds of the times that can be set, in seconds: long enough that two lists lie between, short enough to be no mistake.
    private static let seconds = 60...31_536_000

    /// Adds every fault to `faults`.
    init(environment: [String: String], faults: inout [String]) {
        self.init()
        func duration(_ name: String, _ otherwise: Duration) -> Duration {
            guard let text = environment[name], !text.isEmpty else { return otherwise }
            guard let seconds = Int(text), SweepSettings.seconds.contains(seconds) else {
                faults.append(
                    "\(name): a number of seconds from \(SweepSettings.seconds.lowerBound) to "
                        + "\(SweepSettings.seconds.upperBound), not \(text)")
                return otherwise
            }
            return .seconds(seconds)
        }
        if let text = environment["SKLS_LEAKS"], !text.isEmpty {
            if let mode = Mode(rawValue: text) {
                self.mode = mode
            } else {
                faults.append("SKLS_LEAKS: delete or report, not \(text)")
            }
        }
        minimumAge = duration("SKLS_LEAK_AGE_SECONDS", minimumAge)
        gracePeriod = duration("SKLS_LEAK_GRACE_SECONDS", gracePeriod)
    }
}
