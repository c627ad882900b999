import Controller
import DesiredState
import NIOConcurrencyHelpers
import Tracing

/// Which trace and which place in it, as in W3C's trace context.
struct SpanIdentity: Hashable, Sendable {
    /// 32 hex digits.
    let traceID: String
    /// 16 hex digits.
    let spanID: String
}

extension InstrumentationContext {
    private enum IdentityKey: InstrumentationContextKey {
        typealias Value = SpanIdentity
    }

    /// The span that is current.
    var span: SpanIdentity? {
        get { self[IdentityKey.self] }
        set { self[IdentityKey.self] = newValue }
    }
}

/// Makes spans whose ends are told to a closure. Numbers come from a seed; it reads no clock.
struct SpanTracer: Tracer {
    private let generator: NIOLockedValueBox<SplitMix64>
    private let finish: @Sendable (FinishedSpan) -> Void

    init(seed: UInt64, finish: @escaping @Sendable (FinishedSpan) -> Void) {
        generator = NIOLockedValueBox(SplitMix64(state: seed))
        self.finish = finish
    }

    func startSpan<Time: TracerInstant>(
        _ operationName: String, context: @autoclosure () -> InstrumentationContext, ofKind kind: SpanKind,
        at instant: @autoclosure () -> Time, function: String, file fileID: String, line: UInt
    ) -> RecordedSpan {
        let context = context()
        let (first, second, third) = generator.withLockedValue { ($0.next(), $0.next(), $0.next()) }
        let parent = context.span
        let identity = SpanIdentity(traceID: parent?.traceID ?? hex(first) + hex(second), spanID: hex(third))
        return RecordedSpan(
            identity, parent: parent, name: operationName, kind: kind, at: instant().nanosecondsSinceEpoch,
            context: context, finish: finish)
    }

    /// Nobody tells us where a trace begins,
    func extract<Carrier, Extract: Extractor>(
        _ carrier: Carrier, into context: inout InstrumentationContext, using extractor: Extract
    ) where Extract.Carrier == Carrier {}

    /// and nothing of ours goes to Azure or into containers.
    func inject<Carrier, Inject: Injector>(
        _ context: InstrumentationContext, into carrier: inout Carrier, using injector: Inject
    ) where Inject.Carrier == Carrier {}

    func forceFlush() {}
}

/// Sixteen digits.
func hex(_ word: UInt64) -> String {
    let digits = String(word, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
}

/// A span that has ended.
struct FinishedSpan: Hashable, Sendable {
    let identity: SpanIdentity
    let parentID: String?
    let name: String
    let kind: String
    let startNanoseconds: UInt64
    let endNanoseconds: UInt64
    let isError: Bool
    let message: String?
    /// Sorted by name.
    let attributes: [String: String]
}

/// A span under way. Ends once; what comes later is ignored.
final class RecordedSpan: Span {
    private struct State {
        var name: String
        var attributes: SpanAttributes = [:]
        var status: SpanStatus?
        var hasEnded = false
    }

    /// Attributes of HTTP clients that may hold a signature.
    private static let withheld: Set<String> = ["url.query", "url.full"]

    let context: InstrumentationContext
    private let identity: SpanIdentity
    private let parent: SpanIdentity?
    private let kind: SpanKind
    private let start: UInt64
    private let state: NIOLockedValueBox<State>
    private let finish: @Sendable (FinishedSpan) -> Void

    init(
        _ identity: SpanIdentity, parent: SpanIdentity?, name: String, kind: SpanKind, at start: UInt64,
        context: InstrumentationContext, finish: @escaping @Sendable (FinishedSpan) -> Void
    ) {
        var context = context
        context.span = identity
        self.context = context
        self.identity = identity
        self.parent = parent
        self.kind = kind
        self.start = start
        self.finish = finish
        state = NIOLockedValueBox(State(name: name))
    }

    var operationName: String {
        get { state.withLockedValue { $0.name } }
        set { state.withLockedValue { $0.name = newValue } }
    }

    var attributes: SpanAttributes {
        get { state.withLockedValue { $0.attributes } }
        set { state.withLockedValue { $0.attributes = newValue } }
    }

    var isRecording: Bool { state.withLockedValue { !$0.hasEnded } }

    func setStatus(_ status: SpanStatus) { state.withLockedValue { $0.status = status } }

    /// Only starts and ends are kept.
    func addEvent(_ event: SpanEvent) {}
    func addLink(_ link: SpanLink) {}

    func recordError<Time: TracerInstant>(
        _ error: any Error, attributes: SpanAttributes, at instant: @autoclosure () -> Time
    ) {
        setStatus(SpanStatus(code: .error, message: "\(error)"))
    }

    func end<Time: TracerInstant>(at instant: @autoclosure () -> Time) {
        let end = instant().nanosecondsSinceEpoch
        let last: State? = state.withLockedValue { state in
            guard !state.hasEnded else { return nil }
            state.hasEnded = true
            return state
        }
        guard let last else { return }
        var attributes: [String: String] = [:]
        last.attributes.forEach { name, attribute in
            if !RecordedSpan.withheld.contains(name) { attributes[name] = text(attribute) }
        }
        finish(
            FinishedSpan(
                identity: identity, parentID: parent?.spanID, name: last.name, kind: "\(kind)",
                startNanoseconds: start, endNanoseconds: max(start, end), isError: last.status?.code == .error,
                message: last.status?.message, attributes: attributes))
    }

    private func text(_ attribute: SpanAttribute) -> String {
        switch attribute {
        case .int32(let value): "\(value)"
        case .int64(let value): "\(value)"
        case .double(let value): "\(value)"
        case .bool(let value): "\(value)"
        case .string(let value): value
        case .stringConvertible(let value): value.description
        default: "\(attribute)"
        }
    }
}

/// Our wall clock's time in a tracer's form.
struct SpanTime: TracerInstant {
    let nanosecondsSinceEpoch: UInt64

    init(_ instant: Instant) {
        nanosecondsSinceEpoch = UInt64(max(0, instant.nanoseconds))
    }

    static func < (left: SpanTime, right: SpanTime) -> Bool {
        left.nanosecondsSinceEpoch < right.nanosecondsSinceEpoch
    }
}
