import AgentLink
import AgentProtocol
import DesiredState
import HTTPTypes
import HummingbirdCore
import NIOCore

extension DockerAPI {
    /// `GET /containers/{id}/stats`: one look, or one each second while the container runs. One that does not run has empty figures, as with moby.
    func stats(_ exchange: Exchange, _ reference: String, _ version: DockerVersion) async throws -> Response {
        let isStream = exchange.query.flag("stream", default: true)
        let record = try await find(reference)
        guard backend.hasSessions else { throw DockerError.sessionsOff("stats") }
        guard let attempt = record.runningAttempt else {
            return .json(UsageSample.empty(record))
        }
        // Without `one-shot` a single look has one before it, so that clients can tell how much is used just now.
        let isSingle = !isStream && version >= DockerVersion(major: 1, minor: 41) && exchange.query.flag("one-shot")
        let task = ContainerTask(
            backend: backend, task: .stats(once: isSingle), what: "stats", reference: reference)
        let channel = try await exchange.untilHangUp { try await task.open(record, whileRunning: true) }
        let reading = UsageReading(task: task, channel: channel, record: record, clock: backend.clock)
        if isStream { return stream(reading, token: attempt.token, exchange) }
        defer { channel.release() }
        return try await exchange.untilHangUp {
            var reader = reading.begin()
            guard let first = try await reader.next() else { return .json(UsageSample.empty(record)) }
            if isSingle { return .json(first.json(after: nil)) }
            let second = try await reader.next()
            return .json(second?.json(after: first) ?? first.json(after: nil))
        }
    }

    private func stream(_ reading: UsageReading, token: String, _ exchange: Exchange) -> Response {
        Response(
            status: .ok, headers: [.contentType: "application/json"],
            body: .init { writer in
                defer { reading.channel.release() }
                try await exchange.untilHangUp {
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        group.addTask { try await reading.write(to: exchange) }
                        group.addTask { try await backend.waitForEnd(of: token, uid: reading.record.uid) }
                        defer { group.cancelAll() }
                        try await group.next()
                    }
                }
                try await writer.finish(nil)
            })
    }
}

extension Backend {
    /// Returns when the attempt has an outcome, or the record is gone.
    fileprivate func waitForEnd(of token: String, uid: UID) async throws {
        try await wait(for: uid) { record in
            guard let record else { return () }
            return record.runningAttempt?.token == token ? nil : ()
        }
    }
}

/// An agent's figures as they come.
struct UsageReading: Sendable {
    let task: ContainerTask
    let channel: any SessionChannel
    let record: FunctionApp
    let clock: @Sendable () -> Instant

    func begin() -> Iterator { Iterator(reading: self) }

    func write(to exchange: Exchange) async throws {
        var reader = begin()
        var earlier: UsageSample?
        while let sample = try await reader.next() {
            var line = sample.json(after: earlier).buffer
            line.writeStaticString("\n")
            try await exchange.write(line)
            earlier = sample
        }
    }

    struct Iterator {
        let reading: UsageReading
        private var text = ByteBuffer()

        init(reading: UsageReading) {
            self.reading = reading
        }

        /// The figures of the next line; `nil` behind the last one.
        mutating func next() async throws -> UsageSample? {
            while true {
                let view = text.readableBytesView
                if let end = view.firstIndex(of: UInt8(ascii: "\n")) {
                    let line = text.readString(length: end - view.startIndex) ?? ""
                    text.moveReaderIndex(forwardBy: 1)
                    return UsageSample(
                        record: reading.record, readAt: reading.clock(), figures: UsageFigure.values(line: line))
                }
                guard text.readableBytes <= 64 << 10, var more = try await reading.task.read(reading.channel) else {
                    return nil
                }
                text.writeBuffer(&more)
            }
        }
    }
}

/// What a container used at one time, in Docker's form. What is not known is zero.
struct UsageSample: Hashable, Sendable {
    let record: FunctionApp
    let readAt: Instant
    let figures: [UsageFigure: UInt64]

    /// Of a container that does not run.
    static func empty(_ record: FunctionApp) -> JSON {
        let sample = UsageSample(record: record, readAt: Instant(nanoseconds: 0), figures: [:])
        return sample.json(after: nil).merging(["read": .string(ContainerInspect.never)])
    }

    /// `earlier` = the look before, against which clients compare.
    func json(after earlier: UsageSample?) -> JSON {
        [
            "id": .string(record.uid.text), "name": .string("/\(record.metadata.name)"), "os_type": "linux",
            "read": .string(readAt.rfc3339(fractionDigits: 9)),
            "preread": .string(earlier?.readAt.rfc3339(fractionDigits: 9) ?? ContainerInspect.never),
            "num_procs": 0, "storage_stats": [:], "pids_stats": pids, "blkio_stats": blockDevices,
            "cpu_stats": processor, "precpu_stats": earlier?.processor ?? UsageSample.noProcessor,
            "memory_stats": memory, "networks": ["eth0": network],
        ]
    }

    private static let noProcessor: JSON = [
        "cpu_usage": ["total_usage": 0, "usage_in_kernelmode": 0, "usage_in_usermode": 0],
        "throttling_data": ["periods": 0, "throttled_periods": 0, "throttled_time": 0],
    ]

    private var processor: JSON {
        let usage: JSON = [
            "total_usage": number(.cpuNanoseconds), "usage_in_kernelmode": number(.kernelNanoseconds),
            "usage_in_usermode": number(.userNanoseconds),
        ]
        return UsageSample.noProcessor.merging([
            "cpu_usage": usage, "system_cpu_usage": number(.systemNanoseconds), "online_cpus": number(.processors),
        ])
    }

    private var memory: JSON {
        [
            "usage": number(.memoryBytes), "max_usage": number(.memoryPeakBytes), "limit": number(.memoryLimitBytes),
            "stats": ["inactive_file": number(.inactiveFileBytes)],
        ]
    }

    private var pids: JSON { ["current": number(.processes), "limit": number(.processLimit)] }

    private var network: JSON {
        [
            "rx_bytes": number(.receivedBytes), "rx_packets": number(.receivedPackets), "rx_errors": 0,
            "rx_dropped": 0, "tx_bytes": number(.sentBytes), "tx_packets": number(.sentPackets), "tx_errors": 0,
            "tx_dropped": 0,
        ]
    }

    /// Null where moby on control groups v2 has null.
    private var blockDevices: JSON {
        var entries: [JSON] = []
        for (figure, name) in [(UsageFigure.readBytes, "read"), (.writtenBytes, "write")] {
            guard let value = figures[figure] else { continue }
            entries.append(["major": 0, "minor": 0, "op": .string(name), "value": .number(value)])
        }
        return [
            "io_service_bytes_recursive": entries.isEmpty ? nil : .array(entries), "io_serviced_recursive": nil,
            "io_queue_recursive": nil, "io_service_time_recursive": nil, "io_wait_time_recursive": nil,
            "io_merged_recursive": nil, "io_time_recursive": nil, "sectors_recursive": nil,
        ]
    }

    private func number(_ figure: UsageFigure) -> JSON { .number(figures[figure] ?? 0) }
}
