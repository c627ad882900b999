import AgentProtocol
import Foundation
import Testing

@testable import AgentRuntime

@Suite(.timeLimit(.minutes(1))) struct ConsoleTests {
    private func text(_ lines: [ConsoleLines.Line]) -> [String] {
        lines.map { line in
            switch line.content {
            case .output(let stream, let bytes, let endsLine):
                "\(line.timestampNanoseconds) \(stream) \(String(decoding: bytes, as: UTF8.self))\(endsLine ? "$" : "")"
            case .dropped(let count): "\(line.timestampNanoseconds) dropped \(count)"
            case .end: "\(line.timestampNanoseconds) end"
            }
        }
    }

    @Test func `lines are put together of what is read, for each stream apart`() {
        var lines = ConsoleLines()
        #expect(text(lines.add(.stdout, Array("one\ntw".utf8), at: 1)) == ["1 stdout one$"])
        #expect(text(lines.add(.stderr, Array("oops\n".utf8), at: 2)) == ["2 stderr oops$"])
        #expect(text(lines.add(.stdout, Array("o\n\n".utf8), at: 3)) == ["1 stdout two$", "3 stdout $"])
        #expect(text(lines.add(.stderr, Array("rest".utf8), at: 4)).isEmpty)
        #expect(text(lines.add(.stdout, Array("last".utf8), at: 5)).isEmpty)
        #expect(text(lines.finish(at: 6)) == ["4 stderr rest", "5 stdout last", "6 end"])
    }

    @Test func `a long line comes in pieces, whose bytes are the line's`() {
        let bytes = (0..<20_000).map { UInt8(ascii: "a") + UInt8($0 % 26) }
        for end in [[], Array("\n".utf8)] {
            var lines = ConsoleLines()
            var made: [ConsoleLines.Line] = []
            var rest = (bytes + end)[...]
            while !rest.isEmpty {
                made += lines.add(.stdout, rest.prefix(777), at: 1)
                rest = rest.dropFirst(777)
            }
            made += lines.finish(at: 2)
            #expect(made.removeLast().content == .end)
            var all: [UInt8] = []
            for (index, line) in made.enumerated() {
                guard case .output(.stdout, let piece, let endsLine) = line.content else {
                    Issue.record("\(line)")
                    continue
                }
                #expect(endsLine == (!end.isEmpty && index == made.count - 1))
                all += piece
            }
            #expect(all == bytes)
        }
    }

    @Test func `a console that takes nothing holds nobody up, and what is lost is counted`() throws {
        let pipe = Pipe()
        let reader = pipe.fileHandleForReading.fileDescriptor
        let writer = pipe.fileHandleForWriting.fileDescriptor
        let token = try #require(RunToken(String(repeating: "5", count: 64)))
        let console = Console(boundBytes: 64 << 10)
        var copy = ConsoleCopy(console, token: token, standardOutput: writer, standardError: writer)
        // Much more than pipe and bound hold; nobody reads.
        let line = Array((String(repeating: "y", count: 999) + "\n").utf8)
        for number in 0..<1_000 { copy.add(.stdout, line, at: UInt64(number)) }
        copy.finish(at: 1_000)
        #expect(!console.isIdle)
        // Now somebody does.
        var bytes: [UInt8] = []
        var lines: [ConsoleLine] = []
        let mark = ConsoleLine.mark(of: token.hex)
        while lines.last?.content != .end {
            var chunk = [UInt8](repeating: 0, count: 65_536)
            let count = read(reader, &chunk, chunk.count)
            try #require(count > 0)
            bytes += chunk[..<count]
            lines = bytes.split(separator: UInt8(ascii: "\n")).compactMap {
                ConsoleLine(parsing: String(decoding: $0, as: UTF8.self), mark: mark)
            }
        }
        #expect(lines.map(\.sequence) == Array(1...UInt64(lines.count)))
        let dropped = lines.reduce(UInt64(0)) { sum, line in
            if case .dropped(let count) = line.content { sum + count } else { sum }
        }
        let written = lines.count { if case .output = $0.content { true } else { false } }
        #expect(dropped > 0 && UInt64(written) + dropped == 1_000)
        #expect(written < 64 + 64 + 8, "the pipe's and the bound's, and one batch")
        withExtendedLifetime(pipe) {}
    }

    @Test func `a console that is gone costs nothing`() throws {
        let pipe = Pipe()
        let writer = pipe.fileHandleForWriting.fileDescriptor
        signal(SIGPIPE, SIG_IGN)
        try pipe.fileHandleForReading.close()
        let console = Console(boundBytes: 4_096)
        for _ in 0..<1_000 {
            while !console.write(Array("x\n".utf8), to: writer) { sched_yield() }
        }
        while !console.isIdle { sched_yield() }
        withExtendedLifetime(pipe) {}
    }
}
