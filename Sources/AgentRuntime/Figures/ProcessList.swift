import AgentProtocol
import Glibc

/// The container's processes as `ps` lists them: a line of titles, a line for each, fields between tabs.
struct ProcessList {
    private let columns: [(column: Column, title: String)]

    /// Names that `ps -o` knows, as far as this does.
    enum Column: String {
        case pid, ppid, pgid, sid, user, uid, comm, args, stat, tty, time, etime, rss, vsz, nice, stime, cpu, pcpu, pmem

        /// Other names for the same (procps-ng 4.0, ps(1), "standard format specifiers").
        static let others: [String: Column] = [
            "pgrp": .pgid, "sess": .sid, "session": .sid, "euser": .user, "ruser": .user, "uname": .user, "euid": .uid,
            "ucmd": .comm, "ucomm": .comm, "command": .args, "cmd": .args, "s": .stat, "state": .stat, "tname": .tty,
            "tt": .tty, "cputime": .time, "rssize": .rss, "rsz": .rss, "vsize": .vsz, "ni": .nice, "start": .stime,
            "start_time": .stime, "c": .cpu, "%cpu": .pcpu, "%mem": .pmem,
        ]

        var title: String {
            switch self {
            case .comm, .args: "COMMAND"
            case .tty: "TT"
            case .etime: "ELAPSED"
            case .nice: "NI"
            case .cpu: "C"
            case .pcpu: "%CPU"
            case .pmem: "%MEM"
            default: rawValue.uppercased()
            }
        }
    }

    /// - Parameter arguments: of `ps`: `-ef`, `aux`, or `-o LIST`, with what only chooses all processes (`a`, `x`, `-e`,
    ///   `-A`).
    init(arguments: String) throws(FileFailure) {
        var columns: [(Column, String)] = []
        var isFull = false
        var isUserOriented = false
        var rest = arguments.split(separator: " ")[...]
        while let word = rest.popFirst() {
            var letters = word.first == "-" ? word.dropFirst() : word
            while let letter = letters.popFirst() {
                switch letter {
                case "e", "A", "a", "x": break
                case "f": isFull = true
                case "u": isUserOriented = true
                case "o":
                    let list = letters.isEmpty ? rest.popFirst() ?? "" : letters
                    columns += try Self.columns(list)
                    letters = ""
                default: throw FileFailure(.refused, "ps: unknown option \(word)")
                }
            }
        }
        if !columns.isEmpty {
            self.columns = columns
        } else if isUserOriented {
            let names: [Column] = [.user, .pid, .pcpu, .pmem, .vsz, .rss, .tty, .stat, .stime, .time, .args]
            self.columns = names.map { ($0, $0 == .tty ? "TTY" : $0 == .stime ? "START" : $0.title) }
        } else {
            let names: [Column] =
                isFull ? [.user, .pid, .ppid, .cpu, .stime, .tty, .time, .args] : [.pid, .tty, .time, .comm]
            let titles: [Column: String] = [.user: "UID", .tty: "TTY", .args: "CMD", .comm: "CMD"]
            self.columns = names.map { ($0, titles[$0] ?? $0.title) }
        }
    }

    /// `pid,ppid=PARENT,args`: a title stands behind a name, up to the end.
    private static func columns(_ list: Substring) throws(FileFailure) -> [(Column, String)] {
        var columns: [(Column, String)] = []
        for item in list.split(separator: ",") {
            let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = parts[0].lowercased()
            guard let column = Column(rawValue: name) ?? Column.others[name] else {
                throw FileFailure(.refused, "ps: unknown column \(parts[0])")
            }
            columns.append((column, parts.count > 1 ? String(parts[1]) : column.title))
        }
        if columns.isEmpty { throw FileFailure(.refused, "ps: -o needs a list of columns") }
        return columns
    }

    /// The lines as of now. A process that ends meanwhile is left out, and so is `hidden`: the agent, which is no more the container's than the shim
    /// that Docker does not show.
    func text(hiding hidden: Int? = nil) -> String {
        let surroundings = Surroundings()
        var lines = [columns.map(\.title).joined(separator: "\t")]
        for pid in ProcFiles.processes() where pid != hidden {
            guard let process = Process(pid: pid) else { continue }
            lines.append(
                columns.map { surroundings.value($0.column, of: process) }.map(Self.clean).joined(separator: "\t"))
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func clean(_ text: String) -> String {
        String(text.map { $0 == "\t" || $0.isNewline ? " " : $0 })
    }

    private struct Process {
        let pid: Int
        let stat: ProcessStat
        let arguments: String
        let uid: UInt32

        init?(pid: Int) {
            guard let stat = ProcFiles.text("/proc/\(pid)/stat").flatMap(ProcessStat.init),
                let status = ProcFiles.text("/proc/\(pid)/status")
            else { return nil }
            self.pid = pid
            self.stat = stat
            let line = status.split(separator: "\n").first { $0.hasPrefix("Uid:") }
            uid = line.flatMap { $0.split(separator: "\t").dropFirst(2).first }.flatMap { UInt32($0) } ?? 0
            let words = (ProcFiles.bytes("/proc/\(pid)/cmdline") ?? []).split(separator: 0)
            arguments =
                words.isEmpty
                ? "[\(stat.command)]" : words.map { String(decoding: $0, as: UTF8.self) }.joined(separator: " ")
        }
    }

    /// What the figures of a process are read against.
    private struct Surroundings {
        private let users: [Substring: Substring]
        private let now = Clocks.wallNanoseconds() / 1_000_000_000
        private let bootSeconds: UInt64
        private let uptimeSeconds: Double
        private let memoryKibibytes: UInt64

        init() {
            var users: [Substring: Substring] = [:]
            for line in (ProcFiles.text("/etc/passwd") ?? "").split(separator: "\n") {
                let fields = line.split(separator: ":", omittingEmptySubsequences: false)
                if fields.count > 2, users[fields[2]] == nil { users[fields[2]] = fields[0] }
            }
            self.users = users
            let statistics = ProcFiles.text("/proc/stat") ?? ""
            bootSeconds =
                statistics.split(separator: "\n").first { $0.hasPrefix("btime ") }.flatMap { UInt64($0.dropFirst(6)) }
                ?? 0
            uptimeSeconds = ProcFiles.text("/proc/uptime")?.split(separator: " ").first.flatMap { Double($0) } ?? 0
            memoryKibibytes =
                (ProcFiles.text("/proc/meminfo") ?? "").split(separator: "\n").first { $0.hasPrefix("MemTotal:") }
                .flatMap {
                    UInt64($0.split(separator: " ").dropFirst().first ?? "")
                } ?? 0
        }

        func value(_ column: Column, of process: Process) -> String {
            let stat = process.stat
            switch column {
            case .pid: return String(process.pid)
            case .ppid: return String(stat.number(4))
            case .pgid: return String(stat.number(5))
            case .sid: return String(stat.number(6))
            case .uid: return String(process.uid)
            case .user: return users[Substring(String(process.uid))].map(String.init) ?? String(process.uid)
            case .comm: return stat.command
            case .args: return process.arguments
            case .stat: return String(stat.state)
            case .tty: return terminal(UInt64(bitPattern: stat.number(7)))
            case .time: return clock(cpuSeconds(stat), withDays: true)
            case .etime: return elapsed(age(stat))
            case .rss: return String(stat.number(24) * Int64(sysconf(Int32(_SC_PAGESIZE))) / 1024)
            case .vsz: return String(stat.number(23) / 1024)
            case .nice: return String(stat.number(19))
            case .stime: return startTime(stat)
            case .cpu: return String(min(percent(stat) / 10, 99))
            case .pcpu: return tenths(percent(stat))
            case .pmem:
                let resident = UInt64(max(stat.number(24), 0)) * UInt64(sysconf(Int32(_SC_PAGESIZE))) / 1024
                return tenths(memoryKibibytes > 0 ? resident * 1000 / memoryKibibytes : 0)
            }
        }

        private func cpuSeconds(_ stat: ProcessStat) -> UInt64 {
            UInt64(max(stat.number(14) + stat.number(15), 0)) / ProcFiles.ticksPerSecond
        }

        private func age(_ stat: ProcessStat) -> UInt64 {
            UInt64(max(uptimeSeconds - Double(stat.number(22)) / Double(ProcFiles.ticksPerSecond), 0))
        }

        /// Processor time over the time since its start, in thousandths.
        private func percent(_ stat: ProcessStat) -> UInt64 {
            let age = age(stat)
            let ticks = UInt64(max(stat.number(14) + stat.number(15), 0))
            return age > 0 ? ticks * 1000 / ProcFiles.ticksPerSecond / age : 0
        }

        /// Pseudo terminals have the major numbers 136 to 143, serial and virtual ones 4 (Linux, devices.txt).
        private func terminal(_ number: UInt64) -> String {
            let major = number >> 8 & 0xfff
            let minor = number & 0xff | number >> 12 & 0xfff00
            return switch major {
            case 136...143: "pts/\((major - 136) * 256 + minor)"
            case 4: "tty\(minor)"
            default: "?"
            }
        }

        private func startTime(_ stat: ProcessStat) -> String {
            var started = time_t(bootSeconds + UInt64(max(stat.number(22), 0)) / ProcFiles.ticksPerSecond)
            var parts = tm()
            gmtime_r(&started, &parts)
            if now >= UInt64(started), now - UInt64(started) < 86400 {
                return "\(two(parts.tm_hour)):\(two(parts.tm_min))"
            }
            let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
            return "\(months[Int(parts.tm_mon) % 12])\(two(parts.tm_mday))"
        }

        private func clock(_ seconds: UInt64, withDays: Bool) -> String {
            let days = seconds / 86400
            let text = "\(two(seconds / 3600 % 24)):\(two(seconds / 60 % 60)):\(two(seconds % 60))"
            return days > 0 ? "\(days)-\(text)" : text
        }

        private func elapsed(_ seconds: UInt64) -> String {
            seconds >= 3600
                ? clock(seconds, withDays: true) : "\(two(seconds / 60)):\(two(seconds % 60))"
        }

        private func two(_ number: some BinaryInteger) -> String { number < 10 ? "0\(number)" : "\(number)" }
        private func tenths(_ number: UInt64) -> String { "\(number / 10).\(number % 10)" }
    }
}
