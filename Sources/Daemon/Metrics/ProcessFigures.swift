import Foundation

/// What Linux tells about this process, under the names of Prometheus' own clients. What cannot be read is left out.
struct ProcessFigures: Hashable, Sendable {
    var residentBytes: Double?
    var openFiles: Double?
    var maximumFiles: Double?
    var startedAt: Double?
    var cpuSeconds: Double?

    static func read() -> ProcessFigures {
        // Each of these files may be missing where /proc is restricted; the figure is missing then, too.
        let stat = try? String(contentsOfFile: "/proc/self/stat", encoding: .utf8)
        let system = try? String(contentsOfFile: "/proc/stat", encoding: .utf8)
        let files = try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")
        var figures = ProcessFigures(
            stat: stat ?? "", system: system ?? "", pageBytes: Double(sysconf(Int32(_SC_PAGESIZE))),
            ticksPerSecond: Double(sysconf(Int32(_SC_CLK_TCK))))
        figures.openFiles = files.map { Double($0.count) }
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
            figures.maximumFiles = Double(limit.rlim_cur)
        }
        return figures
    }

    /// proc(5): fields are counted from 1, and the second, the program's name, may hold spaces and parentheses.
    init(stat: String, system: String, pageBytes: Double, ticksPerSecond: Double) {
        guard let end = stat.lastIndex(of: ")") else { return }
        let fields = stat[stat.index(after: end)...].split(separator: " ").map { Double($0) }
        func field(_ number: Int) -> Double? { fields.indices.contains(number - 3) ? fields[number - 3] : nil }
        residentBytes = field(24).map { $0 * pageBytes }
        if let user = field(14), let kernel = field(15) { cpuSeconds = (user + kernel) / ticksPerSecond }
        let boot = system.split(separator: "\n").first { $0.hasPrefix("btime ") }.flatMap {
            Double($0.dropFirst("btime ".count))
        }
        if let boot, let ticks = field(22) { startedAt = boot + ticks / ticksPerSecond }
    }

    func write(to page: inout PrometheusPage) {
        for (metric, value) in [
            (Metric.residentMemory, residentBytes), (.openFiles, openFiles), (.maximumFiles, maximumFiles),
            (.startTime, startedAt), (.cpuSeconds, cpuSeconds),
        ] {
            if let value { page.set(metric, to: value) }
        }
    }
}
