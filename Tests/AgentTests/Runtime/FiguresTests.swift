import AgentProtocol
import Testing

@testable import AgentRuntime

@Suite struct FiguresTests {
    private let machine = [
        "/proc/stat": "cpu  100 0 50 1000 0 0 0 0\ncpu0 1 1\ncpu1 1 1\nintr 5\n",
        "/proc/meminfo": "MemTotal:       1000 kB\nMemFree: 5 kB\n",
        "/proc/net/dev": """
        Inter-|   Receive                                                |  Transmit
         face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs
            lo: 999 9 0 0 0 0 0 0 999 9 0
          eth0: 100 2 0 0 0 0 0 0 300 4 0
        """,
    ]

    private func figures(_ files: [String: String], processes: [Int] = []) -> [UsageFigure: UInt64] {
        let all = machine.merging(files) { $1 }
        return Usage(read: { all[$0] }, processes: { processes }).figures()
    }

    @Test("a control group of version 2 is told as it is") func second() {
        let group = "/sys/fs/cgroup/"
        let figures = figures([
            group + "memory.current": "5000\n", group + "memory.max": "max\n", group + "memory.peak": "6000\n",
            group + "memory.stat": "anon 1\ninactive_file 700\n",
            group + "cpu.stat": "usage_usec 9\nuser_usec 6\nsystem_usec 3\n", group + "pids.current": "4\n",
            group + "pids.max": "100\n", group + "io.stat": "8:0 rbytes=10 wbytes=20 rios=1\n8:16 rbytes=1 wbytes=2\n",
        ])
        #expect(
            figures == [
                .memoryBytes: 5000, .memoryLimitBytes: 1_024_000, .memoryPeakBytes: 6000, .inactiveFileBytes: 700,
                .cpuNanoseconds: 9000, .userNanoseconds: 6000, .kernelNanoseconds: 3000, .processes: 4,
                .processLimit: 100, .readBytes: 11, .writtenBytes: 22, .systemNanoseconds: 11_500_000_000,
                .processors: 2, .receivedBytes: 100, .receivedPackets: 2, .sentBytes: 300, .sentPackets: 4,
            ])
    }

    @Test("a control group of version 1 is told as it is, its limit if it has one") func first() {
        let group = "/sys/fs/cgroup/"
        let files = [
            group + "memory/memory.usage_in_bytes": "5000\n",
            group + "memory/memory.limit_in_bytes": "9223372036854771712\n", group + "cpuacct/cpuacct.usage": "77\n",
            group + "blkio/blkio.throttle.io_service_bytes": "8:0 Read 5\n8:0 Write 6\nTotal 11\n",
        ]
        let unlimited = figures(files)
        #expect(unlimited[.memoryBytes] == 5000)
        #expect(unlimited[.memoryLimitBytes] == 1_024_000)
        #expect(unlimited[.cpuNanoseconds] == 77)
        #expect(unlimited[.readBytes] == 5 && unlimited[.writtenBytes] == 6)
        let limited = figures(files.merging([group + "memory/memory.limit_in_bytes": "8000\n"]) { $1 })
        #expect(limited[.memoryLimitBytes] == 8000)
    }

    @Test("without a control group the processes are summed up") func none() {
        let stat = "S 0 1 1 0 -1 0 0 0 0 0 5 7 0 0 20 0 1 0 100 9999 3 0"
        let figures = figures(
            ["/proc/1/stat": "1 (a b) c) \(stat)\n", "/proc/9/stat": "9 (x) \(stat)\n"], processes: [1, 8, 9])
        #expect(figures[.processes] == 2)
        #expect(figures[.userNanoseconds] == 10 * 1_000_000_000 / ProcFiles.ticksPerSecond)
        #expect(figures[.kernelNanoseconds] == 14 * 1_000_000_000 / ProcFiles.ticksPerSecond)
        #expect(figures[.memoryBytes] ?? 0 > 0)
    }

    @Test("a line comes back as the figures that it was made of") func line() {
        let usage = Usage(read: { machine[$0] }, processes: { [] })
        #expect(UsageFigure.values(line: usage.line().dropLast()) == usage.figures())
    }

    @Test("options of ps that are not known are refused", arguments: ["-Z", "-o", "-o nosuch", "--forest"])
    func refused(arguments: String) {
        #expect(throws: FileFailure.self) { try ProcessList(arguments: arguments) }
    }
}
