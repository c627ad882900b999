import NIOConcurrencyHelpers
import NIOCore

/// Tells a request under way that its client went away, without reading the connection: what a client sent ahead must
/// stay there for the next request.
final class DisconnectWatch: Sendable {
    private struct State {
        var actions: [ObjectIdentifier: @Sendable () -> Void] = [:]
        /// Open connections whose client has closed its side.
        var halfClosed: Set<ObjectIdentifier> = []
    }

    private let state = NIOLockedValueBox(State())

    /// Calls `action` once, when the client closes its side or the connection breaks before `clear`; at once if that
    /// has happened already.
    func set(_ channel: any Channel, action: @escaping @Sendable () -> Void) {
        let id = ObjectIdentifier(channel)
        let isGone = state.withLockedValue { state in
            state.actions[id] = action
            return state.halfClosed.contains(id)
        }
        if isGone || !channel.isActive { fire(id) }
    }

    func clear(_ channel: any Channel) {
        state.withLockedValue { $0.actions[ObjectIdentifier(channel)] = nil }
    }

    private func fire(_ id: ObjectIdentifier) {
        state.withLockedValue { $0.actions.removeValue(forKey: id) }?()
    }

    private func inputClosed(_ channel: any Channel) {
        let id = ObjectIdentifier(channel)
        _ = state.withLockedValue { $0.halfClosed.insert(id) }
        fire(id)
    }

    private func closed(_ channel: any Channel) {
        let id = ObjectIdentifier(channel)
        _ = state.withLockedValue { $0.halfClosed.remove(id) }
        fire(id)
    }

    /// The handler that goes into each connection.
    func makeHandler() -> any RemovableChannelHandler & Sendable { Handler(watch: self) }

    private final class Handler: ChannelInboundHandler, RemovableChannelHandler, Sendable {
        typealias InboundIn = Any
        private let watch: DisconnectWatch

        init(watch: DisconnectWatch) { self.watch = watch }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if case .some(.inputClosed) = event as? ChannelEvent { watch.inputClosed(context.channel) }
            context.fireUserInboundEventTriggered(event)
        }

        func channelInactive(context: ChannelHandlerContext) {
            watch.closed(context.channel)
            context.fireChannelInactive()
        }
    }
}
