import Glibc

/// Signals by name, as `kill(1)` and Docker write them.
enum Signal {
    static let terminate = SIGTERM
    static let kill = SIGKILL

    /// A name, with or without `SIG`, in any case, or a number. Nil for what Linux does not know.
    static func number(_ text: String) -> Int32? {
        if let number = Int32(text) { return (1...lastRealTime).contains(number) ? number : nil }
        var name = text.uppercased()
        if name.hasPrefix("SIG") { name.removeFirst(3) }
        if let number = names[name] { return number }
        if name.hasPrefix("RTMIN+"), let distance = Int32(name.dropFirst(6)) {
            return realTime(firstRealTime, distance)
        }
        if name.hasPrefix("RTMAX-"), let distance = Int32(name.dropFirst(6)) {
            return realTime(lastRealTime, -distance)
        }
        return nil
    }

    /// The kernel's first two are glibc's own (signal(7)).
    private static let firstRealTime: Int32 = 34
    private static let lastRealTime: Int32 = 64

    private static func realTime(_ start: Int32, _ distance: Int32) -> Int32? {
        let (number, overflow) = start.addingReportingOverflow(distance)
        return !overflow && (firstRealTime...lastRealTime).contains(number) ? number : nil
    }

    private static let names: [String: Int32] = [
        "HUP": SIGHUP, "INT": SIGINT, "QUIT": SIGQUIT, "ILL": SIGILL, "TRAP": SIGTRAP, "ABRT": SIGABRT, "IOT": SIGABRT,
        "BUS": SIGBUS, "FPE": SIGFPE, "KILL": SIGKILL, "USR1": SIGUSR1, "SEGV": SIGSEGV, "USR2": SIGUSR2,
        "PIPE": SIGPIPE, "ALRM": SIGALRM, "TERM": SIGTERM, "STKFLT": SIGSTKFLT, "CHLD": SIGCHLD, "CLD": SIGCHLD,
        "CONT": SIGCONT, "STOP": SIGSTOP, "TSTP": SIGTSTP, "TTIN": SIGTTIN, "TTOU": SIGTTOU, "URG": SIGURG,
        "XCPU": SIGXCPU, "XFSZ": SIGXFSZ, "VTALRM": SIGVTALRM, "PROF": SIGPROF, "WINCH": SIGWINCH, "IO": SIGIO,
        "POLL": SIGIO, "PWR": SIGPWR, "SYS": SIGSYS, "RTMIN": firstRealTime, "RTMAX": lastRealTime,
    ]
}
