/// What a frame of a run's output carries.
package enum FrameStream: UInt8, Sendable, CaseIterable {
    case stdout = 1
    case stderr = 2
    /// Written by the daemon behind the last frame of a log: it is complete. Never sent by an agent.
    case end = 0xfe
    /// Written by the daemon where output was lost. Its payload is the number of lost bytes. Never sent by an agent.
    case gap = 0xff
}

/// The 16 bytes before each payload: stream, three zero bytes, payload length, time.
///
/// Both ends, and the daemon's logs, hold a run's output as one sequence of such frames. Offsets count all their
/// bytes, and always lie between frames.
package struct OutputFrameHeader: Equatable, Sendable {
    package static let encodedBytes = 16
    static let gapPayloadBytes = 8

    package let stream: FrameStream
    package let payloadBytes: Int
    /// When the agent read the payload, by the container's wall clock, since 1970.
    package let timestampNanoseconds: UInt64

    package init(stream: FrameStream, payloadBytes: Int, timestampNanoseconds: UInt64) {
        self.stream = stream
        self.payloadBytes = payloadBytes
        self.timestampNanoseconds = timestampNanoseconds
    }

    /// Length of the whole frame.
    package var frameBytes: Int { Self.encodedBytes + payloadBytes }

    /// Reads the header at the start of `bytes`, which may be longer. Nil when `bytes` is too short for a header or
    /// does not begin with one: an unknown stream, a length that its stream cannot have, bytes that must be zero.
    package init?(decoding bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= Self.encodedBytes, let stream = FrameStream(rawValue: bytes[0]), bytes[1] == 0,
            bytes[2] == 0, bytes[3] == 0
        else { return nil }
        let length = Int(UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self)))
        let allowed =
            switch stream {
            case .stdout, .stderr: 1...AgentLimit.framePayloadBytes
            case .end: 0...0
            case .gap: Self.gapPayloadBytes...Self.gapPayloadBytes
            }
        guard allowed.contains(length) else { return nil }
        self.stream = stream
        payloadBytes = length
        timestampNanoseconds = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
    }

    /// The 16 bytes.
    package var encoded: [UInt8] {
        [stream.rawValue, 0, 0, 0] + bigEndian(UInt64(payloadBytes)).suffix(4) + bigEndian(timestampNanoseconds)
    }
}

/// The marker of lost output.
package enum GapFrame {
    /// Length of a whole gap frame in a log. It stands for as many bytes of the agent's offset as it says, not for its
    /// own length.
    package static let frameBytes = OutputFrameHeader.encodedBytes + OutputFrameHeader.gapPayloadBytes

    /// A whole gap frame for `lostBytes` lost bytes of the agent's frames.
    package static func encode(lostBytes: UInt64, timestampNanoseconds: UInt64) -> [UInt8] {
        OutputFrameHeader(
            stream: .gap, payloadBytes: OutputFrameHeader.gapPayloadBytes, timestampNanoseconds: timestampNanoseconds
        ).encoded + bigEndian(lostBytes)
    }

    /// How many bytes were lost, from the payload of a gap frame. Nil for a payload of another length.
    package static func lostBytes(payload: UnsafeRawBufferPointer) -> UInt64? {
        guard payload.count == OutputFrameHeader.gapPayloadBytes else { return nil }
        return UInt64(bigEndian: payload.loadUnaligned(as: UInt64.self))
    }
}

extension OutputFrameHeader {
    /// How much of `bytes` is whole frames that an agent may send, counted from the start.
    ///
    /// - Parameter limit: stops before the frame that would pass it.
    /// - Returns: the length of these frames, and whether what follows them is a broken header rather than the
    ///   beginning of a frame, the limit or the end.
    package static func wholeFrames(
        in bytes: UnsafeRawBufferPointer, limit: Int = .max
    ) -> (bytes: Int, endsBroken: Bool) {
        var position = 0
        while bytes.count - position >= encodedBytes {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[position...])
            guard let header = OutputFrameHeader(decoding: rest), header.stream == .stdout || header.stream == .stderr
            else { return (position, true) }
            let next = position + header.frameBytes
            if next > bytes.count || next > limit { break }
            position = next
        }
        return (position, false)
    }
}

private func bigEndian(_ value: UInt64) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(8)
    var shift: UInt64 = 64
    while shift > 0 {
        shift -= 8
        bytes.append(UInt8(truncatingIfNeeded: value >> shift))
    }
    return bytes
}
