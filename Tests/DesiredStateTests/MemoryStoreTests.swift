import NIOConcurrencyHelpers
import Testing

@testable import DesiredState

/// What a simulation can do to a store in memory.
@Suite(.timeLimit(.minutes(1)))
struct MemoryStoreTests {
    private func store(_ intervene: @escaping MemoryStore.Intervention) -> MemoryStore {
        var generator = SystemRandomNumberGenerator()
        return MemoryStore(generator: &generator, intervene: intervene)
    }

    @Test func `a commit that is refused leaves nothing behind`() async throws {
        let isFull = NIOLockedValueBox(true)
        let store = store { access, stage throws(StoreError) in
            guard case .commit = access, stage == .asked, isFull.withLockedValue({ $0 }) else { return }
            throw StoreError(.unavailable, "full")
        }
        let record = try FunctionApp.sample("job")
        #expect(await store.refusal(.create(record)) == .unavailable)
        #expect(try await store.list(includingDeleted: true) == RecordList(revision: .zero, records: []))
        isFull.withLockedValue { $0 = false }
        #expect(await store.refusal(.create(record)) == nil)
    }

    @Test func `a commit whose answer is lost stands, and was told to those who wait`() async throws {
        let store = store { access, stage throws(StoreError) in
            guard case .commit = access, stage == .kept else { return }
            throw StoreError(.unavailable, "the power went")
        }
        let record = try FunctionApp.sample("job")
        var waiting = store.changes.subscribe(to: record.uid).makeAsyncIterator()
        #expect(await store.refusal(.create(record)) == .unavailable)
        await waiting.next()
        #expect(try await store.load(record.uid) != nil)
    }

    @Test func `every kind of access can be refused, and may look into the store while it is asked`() async throws {
        let seen = NIOLockedValueBox<[MemoryStore.Access]>([])
        let store = store { access, stage throws(StoreError) in
            guard stage == .asked else { return }
            seen.withLockedValue { $0.append(access) }
            throw StoreError(.unavailable)
        }
        await #expect(throws: StoreError(.unavailable)) { try await store.beginEpoch(writer: "w") }
        await #expect(throws: StoreError(.unavailable)) { try await store.append([]) }
        await #expect(throws: StoreError(.unavailable)) { try await store.allUIDs() }
        #expect(seen.withLockedValue { $0 } == [.beginEpoch(writer: "w"), .append([]), .read])
    }

    @Test func `the same seed makes the same installation`() {
        var (first, second) = (Sequence(state: 1), Sequence(state: 1))
        let (one, two) = (MemoryStore(generator: &first), MemoryStore(generator: &second))
        #expect(one.instance == two.instance && one.key == two.key && one.instance.text.utf8.count == 20)
        #expect("\(one.key)" == "(redacted)" && one.key.bytes.count == 32)
    }

    private struct Sequence: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state
        }
    }
}
