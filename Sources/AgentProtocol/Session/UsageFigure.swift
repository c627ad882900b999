/// Names of the figures that ``SessionTask/stats(once:)`` tells, whole numbers in decimal. What the agent cannot know is left out.
package enum UsageFigure: String, CaseIterable, Sendable {
    /// Processor time of all processes of the container since its start.
    case cpuNanoseconds, userNanoseconds, kernelNanoseconds
    /// Processor time of the whole machine, over all processors.
    case systemNanoseconds
    /// How many processors there are.
    case processors
    case memoryBytes, memoryLimitBytes, memoryPeakBytes
    /// Part of the memory that the kernel would give up first.
    case inactiveFileBytes
    case processes, processLimit
    /// Of block devices.
    case readBytes, writtenBytes
    /// Of all interfaces but the loopback.
    case receivedBytes, receivedPackets, sentBytes, sentPackets

    /// What a line `name=value …` says; names that are not known here are passed over.
    package static func values(line: some StringProtocol) -> [UsageFigure: UInt64] {
        var values: [UsageFigure: UInt64] = [:]
        for pair in line.split(separator: " ") {
            let parts = pair.split(separator: "=", maxSplits: 1)
            guard parts.count == 2, let figure = UsageFigure(rawValue: String(parts[0])) else { continue }
            values[figure] = UInt64(parts[1])
        }
        return values
    }
}
