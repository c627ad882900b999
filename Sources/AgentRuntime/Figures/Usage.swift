import AgentProtocol
import Glibc

/// What the container uses: by its control group, of version 2 or 1, and where it has none to itself by the sum of its
/// processes. What cannot be had is left out.
struct Usage {
    private let read: (String) -> String?
    private let processes: () -> [Int]

    /// Version 1 and 2 both say "no limit" by a number near the largest.
    private static let noLimit: UInt64 = 1 << 60

    /// - Parameters:
    ///   - read: the text of a file; nil if there is none.
    ///   - processes: the ids of all processes.
    init(
        read: @escaping (String) -> String? = ProcFiles.text, processes: @escaping () -> [Int] = ProcFiles.processes
    ) {
        self.read = read
        self.processes = processes
    }

    /// One line, `name=value …`.
    func line() -> String {
        figures().sorted { $0.key.rawValue < $1.key.rawValue }.map { "\($0.key.rawValue)=\($0.value)" }
            .joined(separator: " ") + "\n"
    }

    func figures() -> [UsageFigure: UInt64] {
        var figures = machine()
        let group = second() ?? first()
        figures.merge(group ?? [:]) { _, new in new }
        figures.merge(byProcesses(withTimes: figures[.cpuNanoseconds] == nil)) { old, _ in old }
        figures.merge(network()) { _, new in new }
        if let limit = figures[.memoryLimitBytes], let total = totalMemory {
            figures[.memoryLimitBytes] = min(limit, total)
        }
        if figures[.memoryLimitBytes] == nil { figures[.memoryLimitBytes] = totalMemory }
        return figures
    }

    // MARK: control groups

    /// Version 2 (Linux, Documentation/admin-guide/cgroup-v2.rst). The root group has none of these files.
    private func second() -> [UsageFigure: UInt64]? {
        let group = "/sys/fs/cgroup"
        guard let memory = number("\(group)/memory.current") else { return nil }
        var figures: [UsageFigure: UInt64] = [.memoryBytes: memory]
        figures[.memoryPeakBytes] = number("\(group)/memory.peak")
        figures[.memoryLimitBytes] = number("\(group)/memory.max")
        figures[.inactiveFileBytes] = table("\(group)/memory.stat")["inactive_file"]
        let processor = table("\(group)/cpu.stat")
        figures[.cpuNanoseconds] = processor["usage_usec"].map { $0 &* 1000 }
        figures[.userNanoseconds] = processor["user_usec"].map { $0 &* 1000 }
        figures[.kernelNanoseconds] = processor["system_usec"].map { $0 &* 1000 }
        figures[.processes] = number("\(group)/pids.current")
        figures[.processLimit] = number("\(group)/pids.max")
        if let text = read("\(group)/io.stat") {
            figures[.readBytes] = Self.sum("rbytes=", in: text)
            figures[.writtenBytes] = Self.sum("wbytes=", in: text)
        }
        return figures
    }

    /// Version 1 (Linux, Documentation/admin-guide/cgroup-v1).
    private func first() -> [UsageFigure: UInt64]? {
        let group = "/sys/fs/cgroup"
        guard let memory = number("\(group)/memory/memory.usage_in_bytes") else { return nil }
        var figures: [UsageFigure: UInt64] = [.memoryBytes: memory]
        figures[.memoryPeakBytes] = number("\(group)/memory/memory.max_usage_in_bytes")
        figures[.memoryLimitBytes] = number("\(group)/memory/memory.limit_in_bytes").flatMap {
            $0 < Self.noLimit ? $0 : nil
        }
        figures[.inactiveFileBytes] = table("\(group)/memory/memory.stat")["total_inactive_file"]
        figures[.cpuNanoseconds] = number("\(group)/cpuacct/cpuacct.usage")
        figures[.userNanoseconds] = number("\(group)/cpuacct/cpuacct.usage_user")
        figures[.kernelNanoseconds] = number("\(group)/cpuacct/cpuacct.usage_sys")
        figures[.processes] = number("\(group)/pids/pids.current")
        figures[.processLimit] = number("\(group)/pids/pids.max")
        if let text = read("\(group)/blkio/blkio.throttle.io_service_bytes") {
            for line in text.split(separator: "\n") {
                let words = line.split(separator: " ")
                guard words.count == 3, let bytes = UInt64(words[2]) else { continue }
                if words[1] == "Read" { figures[.readBytes, default: 0] += bytes }
                if words[1] == "Write" { figures[.writtenBytes, default: 0] += bytes }
            }
        }
        return figures
    }

    // MARK: the kernel's own

    private func byProcesses(withTimes: Bool) -> [UsageFigure: UInt64] {
        var figures: [UsageFigure: UInt64] = [:]
        var user: UInt64 = 0
        var kernel: UInt64 = 0
        var resident: UInt64 = 0
        var count: UInt64 = 0
        for pid in processes() {
            guard let stat = read("/proc/\(pid)/stat").flatMap(ProcessStat.init) else { continue }
            count += 1
            user += UInt64(max(stat.number(14), 0))
            kernel += UInt64(max(stat.number(15), 0))
            resident += UInt64(max(stat.number(24), 0))
        }
        let tick = 1_000_000_000 / ProcFiles.ticksPerSecond
        figures[.processes] = count
        figures[.memoryBytes] = resident * UInt64(max(sysconf(Int32(_SC_PAGESIZE)), 1))
        if withTimes {
            figures[.userNanoseconds] = user * tick
            figures[.kernelNanoseconds] = kernel * tick
            figures[.cpuNanoseconds] = (user + kernel) * tick
        }
        return figures
    }

    private func machine() -> [UsageFigure: UInt64] {
        var figures: [UsageFigure: UInt64] = [:]
        let lines = (read("/proc/stat") ?? "").split(separator: "\n")
        if let total = lines.first(where: { $0.hasPrefix("cpu ") }) {
            // User to softirq, as Docker's own sum (moby v28, daemon/stats_unix.go, getSystemCPUUsage).
            let ticks = total.split(separator: " ").dropFirst().prefix(7).reduce(UInt64(0)) { $0 + (UInt64($1) ?? 0) }
            figures[.systemNanoseconds] = ticks * (1_000_000_000 / ProcFiles.ticksPerSecond)
        }
        figures[.processors] = UInt64(
            lines.filter { $0.hasPrefix("cpu") && $0.dropFirst(3).first?.isNumber == true }.count)
        return figures
    }

    private var totalMemory: UInt64? {
        (read("/proc/meminfo") ?? "").split(separator: "\n").first { $0.hasPrefix("MemTotal:") }.flatMap {
            UInt64($0.split(separator: " ").dropFirst().first ?? "")
        }.map { $0 * 1024 }
    }

    private func network() -> [UsageFigure: UInt64] {
        var figures: [UsageFigure: UInt64] = [:]
        for line in (read("/proc/net/dev") ?? "").split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, parts[0].filter({ $0 != " " }) != "lo" else { continue }
            let numbers = parts[1].split(separator: " ").map { UInt64($0) ?? 0 }
            guard numbers.count >= 10 else { continue }
            figures[.receivedBytes, default: 0] += numbers[0]
            figures[.receivedPackets, default: 0] += numbers[1]
            figures[.sentBytes, default: 0] += numbers[8]
            figures[.sentPackets, default: 0] += numbers[9]
        }
        return figures
    }

    // MARK: texts

    /// Nil for a file that is missing or says `max`.
    private func number(_ path: String) -> UInt64? {
        read(path).flatMap { UInt64($0.prefix { $0 != "\n" }) }
    }

    /// Lines `name value`.
    private func table(_ path: String) -> [Substring: UInt64] {
        var table: [Substring: UInt64] = [:]
        for line in (read(path) ?? "").split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 2 { table[words[0]] = UInt64(words[1]) }
        }
        return table
    }

    private static func sum(_ prefix: String, in text: String) -> UInt64 {
        text.split(whereSeparator: { $0 == " " || $0 == "\n" }).filter { $0.hasPrefix(prefix) }
            .reduce(0) { $0 + (UInt64($1.dropFirst(prefix.count)) ?? 0) }
    }
}
