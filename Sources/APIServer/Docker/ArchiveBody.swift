import CInflate
import HTTPTypes
import NIOCore

/// A tar as clients send it to be unpacked: plain, or compressed with gzip. Docker takes bzip2, xz and zstd, too (moby v28, `pkg/archive`,
/// `DecompressStream`), which need libraries that are not here.
///
/// ``take(_:)`` a piece, then ask ``next()`` until it has no more.
struct ArchiveBody {
    private enum Kind {
        case unknown, plain
        case gzip(Inflation)
    }

    private static let gzip: [UInt8] = [0x1f, 0x8b]
    private static let refused: [(mark: [UInt8], name: String)] = [
        ([0x42, 0x5a, 0x68], "bzip2"), ([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], "xz"),
        ([0x28, 0xb5, 0x2f, 0xfd], "zstd"),
    ]

    private var kind = Kind.unknown
    private var pending = ByteBuffer()
    private var hasEnded = false

    mutating func take(_ bytes: ByteBuffer) {
        pending.discardReadBytes()
        pending.writeImmutableBuffer(bytes)
    }

    mutating func end() {
        hasEnded = true
    }

    /// The next bytes of the tar itself; `nil` when more has to be taken, or at the end. Throws 400 for what cannot be read.
    mutating func next() throws(DockerError) -> ByteBuffer? {
        if case .unknown = kind {
            guard hasEnded || !Self.isUndecided(pending) else { return nil }
            kind = try Self.kind(of: pending)
        }
        guard case .gzip(let inflation) = kind else {
            let bytes = pending
            pending = ByteBuffer()
            return bytes.readableBytes > 0 ? bytes : nil
        }
        if let bytes = try inflation.next(&pending) { return bytes }
        guard !hasEnded || inflation.isAtEnd else {
            throw .badParameter("the archive is broken: its compressed data is cut off")
        }
        return nil
    }

    /// Whether so few bytes can still become the mark of a format.
    private static func isUndecided(_ beginning: ByteBuffer) -> Bool {
        let bytes = beginning.readableBytesView
        return ([gzip] + refused.map(\.mark)).contains { bytes.count < $0.count && $0.starts(with: bytes) }
    }

    private static func kind(of beginning: ByteBuffer) throws(DockerError) -> Kind {
        let bytes = beginning.readableBytesView
        for (mark, name) in refused where bytes.starts(with: mark) {
            throw .badParameter("the archive is compressed with \(name): send a plain tar, or one compressed with gzip")
        }
        return bytes.starts(with: gzip) ? .gzip(try Inflation()) : .plain
    }
}

/// One gzip stream, of one member or several.
final class Inflation {
    private static let pieceBytes = 64 << 10

    private let state: OpaquePointer
    /// Every member that began has ended.
    private(set) var isAtEnd = false

    init() throws(DockerError) {
        guard let state = skls_inflate_begin() else {
            throw DockerError(.internalServerError, "no memory is left to unpack the archive")
        }
        self.state = state
    }

    deinit {
        skls_inflate_end(state)
    }

    /// Up to 64 KiB of what the input makes, which is taken away; `nil` when more input is needed.
    func next(_ input: inout ByteBuffer) throws(DockerError) -> ByteBuffer? {
        while true {
            let wasEmpty = input.readableBytes == 0
            if wasEmpty, isAtEnd { return nil }
            var output = ByteBuffer()
            var answer = skls_inflate_broken
            input.readWithUnsafeReadableBytes { bytes in
                var left = bytes.count
                output.writeWithUnsafeMutableBytes(minimumWritableBytes: Self.pieceBytes) { room in
                    var free = room.count
                    answer = skls_inflate_step(
                        state, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), &left,
                        room.baseAddress?.assumingMemoryBound(to: UInt8.self), &free)
                    return room.count - free
                }
                return bytes.count - left
            }
            if answer == skls_inflate_broken {
                throw .badParameter("the archive is broken: its compressed data cannot be read")
            }
            isAtEnd = answer == skls_inflate_ended
            if output.readableBytes > 0 { return output }
            if wasEmpty || input.readableBytes == 0 { return nil }
        }
    }
}
