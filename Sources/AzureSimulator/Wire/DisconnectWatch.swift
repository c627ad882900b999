import NIOConcurrencyHelpers
import NIOCore

/// Tells a request under way that its client went away, without reading the connection: what a client sent ahead must
/// stay there for the next request.
final class DisconnectWatch: Sendable {
    private let actions = NIOLockedValueBox<[ObjectIdentifier: @Sendable () -> Void]>([:])

    /// Calls `action` once, when the client closes its side or the connection breaks before `clear`.
    func set(_ channel: any Channel, action: @escaping @Sendable () -> Void) {
        actions.withLockedValue { $0[ObjectIdentifier(channel)] = action }
        // The connection may have been lost before anybody listened.
        if !channel.isActive { fire(channel) }
    }

    func clear(_ channel: any Channel) { actions.withLockedValue { $0[ObjectIdentifier(channel)] = nil } }

    fileprivate func fire(_ channel: any Channel) {
        actions.withLockedValue { $0.removeValue(forKey: ObjectIdentifier(channel)) }?()
    }

    /// The handler that goes into each connection.
    func makeHandler() -> any RemovableChannelHandler & Sendable { Handler(watch: self) }

    private final class Handler: ChannelInboundHandler, RemovableChannelHandler, Sendable {
        typealias InboundIn = Any
        private let watch: DisconnectWatch

        init(watch: DisconnectWatch) { self.watch = watch }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if case .some(.inputClosed) = event as? ChannelEvent { watch.fire(context.channel) }
            context.fireUserInboundEventTriggered(event)
        }

        func channelInactive(context: ChannelHandlerContext) {
            watch.fire(context.channel)
            context.fireChannelInactive()
        }
    }
}
