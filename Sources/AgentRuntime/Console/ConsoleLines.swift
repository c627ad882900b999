import AgentProtocol

/// Makes lines of what a run writes: each is made when it is over, or as long as one may be, or when the run is. Pure.
struct ConsoleLines {
    /// A line without its number.
    struct Line: Equatable {
        var timestampNanoseconds: UInt64
        var content: ConsoleLine.Content
    }

    private var partials: [FrameStream: Partial] = [:]

    private struct Partial {
        /// Of its first byte.
        var timestampNanoseconds: UInt64
        var bytes: [UInt8] = []
    }

    mutating func add(
        _ stream: FrameStream, _ bytes: some Collection<UInt8>, at timestampNanoseconds: UInt64
    ) -> [Line] {
        var lines: [Line] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            var partial = partials[stream] ?? Partial(timestampNanoseconds: timestampNanoseconds)
            let newline = rest.firstIndex(of: UInt8(ascii: "\n"))
            partial.bytes += rest[..<(newline ?? rest.endIndex)]
            partials[stream] = nil
            var position = 0
            while partial.bytes.count - position > ConsoleLine.maximumPayloadBytes
                || newline != nil && position < partial.bytes.count
            {
                let count = ConsoleLine.payloadCount(of: partial.bytes[position...])
                let isLast = newline != nil && position + count == partial.bytes.count
                lines.append(
                    line(stream, partial.bytes[position..<(position + count)], partial.timestampNanoseconds, isLast))
                position += count
            }
            if let newline {
                if partial.bytes.isEmpty { lines.append(line(stream, [], partial.timestampNanoseconds, true)) }
                rest = rest[rest.index(after: newline)...]
            } else {
                // A piece that was just made ends before what is left.
                partials[stream] = Partial(
                    timestampNanoseconds: partial.timestampNanoseconds, bytes: Array(partial.bytes[position...]))
                rest = rest[rest.endIndex...]
            }
        }
        return lines
    }

    /// What is left, and the end.
    mutating func finish(at timestampNanoseconds: UInt64) -> [Line] {
        var lines: [Line] = []
        for (stream, partial) in partials.sorted(by: { $0.value.timestampNanoseconds < $1.value.timestampNanoseconds })
        {
            var position = 0
            while position < partial.bytes.count {
                let count = ConsoleLine.payloadCount(of: partial.bytes[position...])
                lines.append(
                    line(stream, partial.bytes[position..<(position + count)], partial.timestampNanoseconds, false))
                position += count
            }
        }
        partials = [:]
        return lines + [Line(timestampNanoseconds: timestampNanoseconds, content: .end)]
    }

    private func line(
        _ stream: FrameStream, _ bytes: ArraySlice<UInt8>, _ timestampNanoseconds: UInt64, _ endsLine: Bool
    ) -> Line {
        Line(timestampNanoseconds: timestampNanoseconds, content: .output(stream, Array(bytes), endsLine: endsLine))
    }
}
