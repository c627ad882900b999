import Glibc
import NIOCore

/// Keeps the first bytes behind the head of a hijacked connection back until the client has read the head.
///
/// docker-py reads the stream past its HTTP library's buffer and loses what arrives together with the head (7.1.0, `api/client.py`,
/// `_get_raw_response_socket`; observed 2026-11-21). A unix socket tells: what was sent counts as the sender's until it is read (Linux, `SIOCOUTQ`,
/// `unix_outq_len` in net/unix/af_unix.c). TCP only tells what the client's kernel has, so nothing is kept back there. Most commands take longer to say
/// something than clients take to read the head; then this costs one system call. All methods run on the connection's event loop.
final class HeadWait {
    /// Between two looks: doubled from the first to the last.
    private static let firstPause: TimeAmount = .microseconds(50)
    private static let lastPause: TimeAmount = .milliseconds(5)
    /// A client that has not read so long is not waiting for a head; what it is sent stays in order all the same.
    private static let limit: TimeAmount = .seconds(30)

    private enum State {
        /// Nothing is kept back.
        case over
        /// The head was written; the first bytes will ask whether it was read.
        case begun
        case holding(until: NIODeadline, pause: TimeAmount)
    }

    private var state = State.over
    private var held: [(ByteBuffer, EventLoopPromise<Void>?)] = []

    /// The head was written.
    func begin() {
        state = .begun
    }

    func write(_ buffer: ByteBuffer, _ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>?) {
        switch state {
        case .over: context.writeAndFlush(NIOAny(buffer), promise: promise)
        case .holding: held.append((buffer, promise))
        case .begun:
            held.append((buffer, promise))
            state = .holding(until: .now() + Self.limit, pause: Self.firstPause)
            look(context)
        }
    }

    /// The connection is gone: what is held fails like any write.
    func end(_ context: ChannelHandlerContext) {
        state = .over
        let writes = held
        held = []
        for (buffer, promise) in writes { context.writeAndFlush(NIOAny(buffer), promise: promise) }
    }

    private func look(_ context: ChannelHandlerContext) {
        guard case .holding(let until, let pause) = state else { return }
        guard Self.isUnread(context), .now() < until else { return end(context) }
        state = .holding(until: until, pause: min(pause * 2, Self.lastPause))
        context.eventLoop.assumeIsolated().scheduleTask(in: pause) { self.look(context) }
    }

    /// False also where nobody can tell.
    private static func isUnread(_ context: ChannelHandlerContext) -> Bool {
        guard context.localAddress?.protocol == .unix else { return false }
        do {
            let unread = try context.channel.pipeline.syncOperations.withUnsafeTransportIfAvailable(
                of: NIOBSDSocket.Handle.self
            ) { socket in
                var count: CInt = 0
                let answer = ioctl(socket, UInt(TIOCOUTQ), &count)  // SIOCOUTQ has the same number
                return answer == 0 ? count : 0
            }
            return (unread ?? 0) > 0
        } catch {
            // A closed socket; the write tells.
            return false
        }
    }
}

@available(*, unavailable)
extension HeadWait: Sendable {}
