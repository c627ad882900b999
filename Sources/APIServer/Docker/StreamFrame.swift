import AgentLink
import AgentProtocol
import NIOCore

/// Docker's framing of output without a terminal (moby v28, `pkg/stdcopy`): stream, three zero bytes, length in 4 bytes big endian, payload.
enum StreamFrame {
    enum Stream: UInt8, Hashable, Sendable, CaseIterable {
        case standardInput = 0
        case standardOutput = 1
        case standardError = 2
        /// Clients turn it into an error: for failures in the middle of a stream.
        case systemError = 3
    }

    static let headerBytes = 8
    static let multiplexedType = "application/vnd.docker.multiplexed-stream"
    static let rawType = "application/vnd.docker.raw-stream"

    static func encode(_ stream: Stream, _ payload: ByteBuffer) -> ByteBuffer {
        var frame = ByteBuffer()
        frame.reserveCapacity(headerBytes + payload.readableBytes)
        frame.writeMultipleIntegers(stream.rawValue, UInt8(0), UInt8(0), UInt8(0), UInt32(payload.readableBytes))
        frame.writeImmutableBuffer(payload)
        return frame
    }

    static func encode(_ stream: Stream, _ text: String) -> ByteBuffer {
        encode(stream, ByteBuffer(string: text))
    }

    /// What clients see where output was lost.
    static func gapText(lostBytes: UInt64) -> String {
        "[skls: \(lostBytes) bytes of output were lost here]\n"
    }
}

/// How output reaches a client: in frames, or as it is.
enum StreamFraming: Hashable, Sendable {
    case multiplexed
    /// Of terminals, which have one stream.
    case raw

    func encode(_ stream: StreamFrame.Stream, _ payload: ByteBuffer) -> ByteBuffer {
        switch self {
        case .multiplexed: StreamFrame.encode(stream, payload)
        case .raw: payload
        }
    }

    func encode(_ stream: StreamFrame.Stream, _ text: String) -> ByteBuffer {
        encode(stream, ByteBuffer(string: text))
    }

    /// Docker told the two apart from 1.42 on.
    func contentType(_ version: DockerVersion) -> String {
        switch self {
        case .multiplexed: version < .consoleSize ? StreamFrame.rawType : StreamFrame.multiplexedType
        case .raw: StreamFrame.rawType
        }
    }
}

/// Which of a run's streams a client wants.
struct StreamSelection: Hashable, Sendable {
    var standardOutput: Bool
    var standardError: Bool

    static let both = StreamSelection(standardOutput: true, standardError: true)

    /// `nil` for what the client did not ask for. Gaps go to standard error, for nobody may mistake them for the command's result.
    func stream(of chunk: OutputChunk) -> StreamFrame.Stream? {
        switch chunk.stream {
        case .stdout: standardOutput ? .standardOutput : nil
        case .stderr, .gap: standardError ? .standardError : nil
        case .end: nil
        }
    }

    func payload(of chunk: OutputChunk) -> ByteBuffer {
        chunk.lostBytes.map { ByteBuffer(string: StreamFrame.gapText(lostBytes: $0)) } ?? chunk.bytes
    }
}
