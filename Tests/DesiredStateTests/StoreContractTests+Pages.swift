import Testing

@testable import DesiredState

/// Lists in pages.
extension StoreContractTests {
    @Test(arguments: StoreKind.allCases)
    func `pages show every record once, in order of creation, also those that go`(kind: StoreKind) async throws {
        try await kind.with { store in
            let records = try (0..<7).map { try FunctionApp.sample("job\($0)") }
            try await store.commit(.create(records[0]), .create(records[1]), .create(records[2]))
            for record in records[3...] { try await store.commit(.create(record)) }
            try await store.commit(.markDeleted(records[4].uid, at: .start))
            for size in [1, 2, 3, 7, 8] {
                var names: [String] = []
                var position: RecordPosition?
                var hasMore = true
                while hasMore {
                    let page = try await store.page(after: position, limit: size, since: nil)
                    names += page.records.map(\.metadata.name.text)
                    #expect(page.records.count == page.positions.count && page.records.count <= size)
                    position = page.positions.last
                    hasMore = page.hasMore
                }
                #expect(names == (0..<7).map { "job\($0)" }, "pages of \(size)")
            }
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a list goes on after the record where it stopped was forgotten`(kind: StoreKind) async throws {
        try await kind.with { store in
            let records = try (0..<3).map { try FunctionApp.sample("job\($0)") }
            for record in records { try await store.commit(.create(record)) }
            let first = try await store.page(after: nil, limit: 2, since: nil)
            try await store.commit(.forget(records[1].uid, siteName: nil, at: .start))
            let second = try await store.page(after: first.positions.last, limit: 2, since: first.revision)
            #expect(second.records.map(\.metadata.name.text) == ["job2"] && !second.hasMore)
            #expect(second.revision > first.revision)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a page since a revision that cannot be watched from is refused`(kind: StoreKind) async throws {
        try await kind.with { store in
            let error = await #expect(throws: StoreError.self) {
                try await store.page(after: nil, limit: 1, since: Revision(5))
            }
            #expect(error?.code == .compacted(.zero))
        }
    }
}
