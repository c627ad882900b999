import NIOCore
import NIOEmbedded
import Testing

@testable import AzureSimulator

/// The two ends of a tunnel without sockets.
@Suite struct TunnelEndTests {
    private let loop = EmbeddedEventLoop()
    private let near: EmbeddedChannel
    private let far: EmbeddedChannel
    private let nearReads = ReadCounter()
    private let nearPeer = SlowPeer()
    private let ends = (near: TunnelEnd(holdsBytes: false), far: TunnelEnd(holdsBytes: true))

    init() throws {
        near = EmbeddedChannel(handlers: [nearPeer, nearReads, ends.near], loop: loop)
        far = EmbeddedChannel(handlers: [ends.far], loop: loop)
        for channel in [near, far] { try channel.connect(to: SocketAddress(unixDomainSocketPath: "/x")).wait() }
    }

    private func join(idleLimit: Duration? = nil) {
        TunnelEnd.join(ends.near, ends.far, greeting: ByteBuffer(string: "welcome;"), idleLimit: idleLimit)
    }

    private func said(_ channel: EmbeddedChannel) throws -> String {
        var text = ""
        while let buffer = try channel.readOutbound(as: ByteBuffer.self) { text += String(buffer: buffer) }
        return text
    }

    @Test func `what came before the join comes behind the greeting`() throws {
        try far.writeInbound(ByteBuffer(string: "early;"))
        #expect(try said(near) == "")
        join()
        try far.writeInbound(ByteBuffer(string: "late;"))
        #expect(try said(near) == "welcome;early;late;")
        try near.writeInbound(ByteBuffer(string: "back;"))
        #expect(try said(far) == "back;")
    }

    @Test func `nothing more is read from one side while the other one takes nothing`() throws {
        join()
        let before = nearReads.count
        far.isWritable = false
        try near.writeInbound(ByteBuffer(string: "a"))
        near.read()
        #expect(nearReads.count == before)
        far.isWritable = true
        far.pipeline.fireChannelWritabilityChanged()
        #expect(nearReads.count == before + 1)
    }

    @Test func `a tunnel without traffic ends, one with some does not`() throws {
        join(idleLimit: .seconds(240))
        for _ in 1...3 {
            loop.advanceTime(by: .seconds(200))
            try far.writeInbound(ByteBuffer(string: "x"))
        }
        loop.advanceTime(by: .seconds(239))
        #expect(near.isActive && far.isActive)
        loop.advanceTime(by: .seconds(2))
        #expect(!near.isActive && !far.isActive)
    }

    @Test func `the end of one connection is the end of the other`() throws {
        join()
        near.close(promise: nil)
        loop.run()
        #expect(!far.isActive)
    }

    @Test(arguments: [false, true])
    func `what a slow peer has not taken yet is not lost with the other connection`(isEndPassedOn: Bool) throws {
        join()
        #expect(try said(near) == "welcome;")
        nearPeer.takesNothing = true
        try far.writeInbound(ByteBuffer(string: "tail"))
        if isEndPassedOn { far.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed) }
        far.close(promise: nil)
        loop.run()
        #expect(near.isActive)
        nearPeer.takeAll()
        loop.run()
        #expect(try said(near) == "tail")
        #expect(!near.isActive)
    }

    @Test func `a peer that takes nothing is let go at last`() throws {
        join()
        nearPeer.takesNothing = true
        try far.writeInbound(ByteBuffer(string: "tail"))
        far.close(promise: nil)
        loop.advanceTime(by: .seconds(239))
        #expect(near.isActive)
        loop.advanceTime(by: .seconds(2))
        #expect(!near.isActive)
    }

    @Test func `a join that comes too late closes what is left`() throws {
        far.close(promise: nil)
        loop.run()
        join()
        loop.run()
        #expect(!near.isActive)
    }

    @Test func `an end that nobody joins is closed`() throws {
        loop.advanceTime(by: .seconds(11))
        #expect(!far.isActive && near.isActive)
    }

    /// The socket of somebody who does not read: what is written waits, and the end of the output behind it.
    private final class SlowPeer: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        var takesNothing = false
        private var waiting: [() -> Void] = []

        func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
            let buffer = unwrapOutboundIn(data)
            hold { context.writeAndFlush(self.wrapOutboundOut(buffer), promise: promise) }
        }

        func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
            if mode == .all {
                context.close(mode: .all, promise: promise)
            } else {
                // A channel without a socket has no halves.
                hold { promise?.succeed() }
            }
        }

        private func hold(_ action: @escaping () -> Void) {
            if takesNothing { waiting.append(action) } else { action() }
        }

        func takeAll() {
            takesNothing = false
            for action in waiting { action() }
            waiting = []
        }
    }

    private final class ReadCounter: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer
        var count = 0

        func read(context: ChannelHandlerContext) {
            count += 1
            context.read()
        }
    }
}
