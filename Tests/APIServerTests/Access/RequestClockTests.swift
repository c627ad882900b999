import NIOCore
import NIOEmbedded
import Testing

@testable import APIServer

/// The times of a connection, under a clock of its own.
@Suite("Times of a request")
struct RequestClockTests {
    private let limits = APIServerConfiguration.Limits()
    private let channel = EmbeddedChannel()
    private let clock: RequestClock

    init() throws {
        clock = RequestClock(limits)
        try channel.pipeline.syncOperations.addHandler(clock)
        try channel.connect(to: SocketAddress(unixDomainSocketPath: "/x")).wait()
    }

    private func pass(_ time: Duration) {
        channel.embeddedEventLoop.advanceTime(by: TimeAmount(time))
    }

    private func receive(_ text: String) throws {
        try channel.writeInbound(ByteBuffer(string: text))
    }

    private func said() throws -> String? {
        try channel.readOutbound(as: ByteBuffer.self).map { String(buffer: $0) }
    }

    /// Ends within `time` and not before, with 408 or without a word.
    private func expectEnd(in time: Duration, saying isTold: Bool) throws {
        pass(time - .milliseconds(1))
        #expect(channel.isActive)
        // Bytes give no more time.
        try receive("x")
        pass(.milliseconds(1))
        #expect(!channel.isActive)
        #expect(try said()?.hasPrefix("HTTP/1.1 408 ") == (isTold ? true : nil))
    }

    @Test func `a connection without a byte ends without a word`() throws {
        pass(limits.firstByteTimeout - .milliseconds(1))
        #expect(channel.isActive)
        pass(.milliseconds(1))
        #expect(try !channel.isActive && said() == nil)
    }

    @Test func `a head has its time`() throws {
        try receive("G")
        try expectEnd(in: limits.headTimeout, saying: true)
    }

    @Test func `a body has its time, and 408 is said only where nothing else was`() throws {
        try receive("POST")
        clock.headArrived()
        try expectEnd(in: limits.bodyTimeout, saying: true)
    }

    @Test(arguments: [false, true])
    func `a body that is not read has no more time because its request was answered`(isOver: Bool) throws {
        try receive("POST")
        clock.headArrived()
        pass(.seconds(1))
        clock.answerBegan()
        if isOver { clock.answered() }
        try expectEnd(in: limits.bodyTimeout - .seconds(1), saying: false)
    }

    @Test func `an archive has all the time, and so has an answer`() throws {
        try receive("PUT")
        clock.headArrived()
        clock.bodyStreams()
        pass(limits.bodyTimeout * 10)
        #expect(channel.isActive)
        clock.requestEnded()
        pass(limits.bodyTimeout * 10)
        clock.answerBegan()
        clock.answered()
        pass(limits.bodyTimeout * 10)
        #expect(channel.isActive)
        // The next request has its times again.
        try receive("POST")
        clock.headArrived()
        try expectEnd(in: limits.bodyTimeout, saying: true)
    }

    @Test func `what waits behind an answer that takes long is not given up`() throws {
        try receive("POST")
        clock.headArrived()
        clock.requestEnded()
        try receive("POST")
        clock.headArrived()
        pass(limits.bodyTimeout * 10)
        #expect(channel.isActive)
        clock.answerBegan()
        clock.answered()
        pass(limits.bodyTimeout)
        #expect(!channel.isActive)
    }

    @Test func `a connection that has left HTTP has all the time`() throws {
        try receive("POST")
        clock.headArrived()
        clock.becameRaw()
        pass(limits.bodyTimeout * 10)
        #expect(channel.isActive)
    }
}
