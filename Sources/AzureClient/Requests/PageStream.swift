/// A long list, a page at a time, so that no more than one page is ever in memory.
///
/// Pages may be empty; the list ends where no next page is named (azure-resource-manager-rpc v1.0, read 2026-02). One
/// read per page. An element that cannot be decoded fails the page: a part is never given for the whole.
struct PageStream<Item: Decodable & Sendable>: AsyncSequence, Sendable {
    typealias Element = [Item]
    typealias Failure = AzureError

    let client: AzureClient
    let first: AzureRequest
    /// How a failed read is repeated, nil for not at all.
    let policy: RetryPolicy?

    func makeAsyncIterator() -> Iterator {
        Iterator(client: client, request: first, policy: policy)
    }

    struct Iterator: AsyncIteratorProtocol {
        let client: AzureClient
        fileprivate(set) var request: AzureRequest
        let policy: RetryPolicy?
        private var seen: Set<String> = []
        private var isAtEnd = false

        init(client: AzureClient, request: AzureRequest, policy: RetryPolicy?) {
            self.client = client
            self.request = request
            self.policy = policy
        }

        /// - Throws: `malformedReply` for a page on another host and for pages that do not end.
        mutating func next() async throws(AzureError) -> [Item]? {
            guard !isAtEnd else { return nil }
            isAtEnd = true
            let reply: AzureReply
            if let policy {
                reply = try await client.persistently(request, policy: policy)
            } else {
                reply = try await client.call(request)
            }
            let page = try client.decoded(Page<Item>.self, from: reply, to: request)
            guard let link = page.nextLink, !link.isEmpty else { return page.value }
            guard client.environment.resourceManager.owns(link) else {
                throw AzureError(unusable: reply, to: request, message: "the next page is on another host")
            }
            seen.insert(request.url)
            guard !seen.contains(link), seen.count < PageLimit.mostPages else {
                throw AzureError(unusable: reply, to: request, message: "the pages of the list do not end")
            }
            request.url = link
            isAtEnd = false
            return page.value
        }

        mutating func next(isolation actor: isolated (any Actor)?) async throws(AzureError) -> [Item]? {
            try await next()
        }
    }
}

enum PageLimit {
    /// At 100 elements each, many times what a subscription may hold.
    static let mostPages = 10_000
}

/// One page. An absent `value` is not an empty page but an unreadable one.
struct Page<Item: Decodable>: Decodable {
    let value: [Item]
    let nextLink: String?
}

extension AzureClient {
    /// The pages of a list that a GET begins.
    func pages<Item: Decodable & Sendable>(
        of type: Item.Type, _ request: AzureRequest, policy: RetryPolicy? = nil
    ) -> PageStream<Item> {
        PageStream(client: self, first: request, policy: policy)
    }
}
