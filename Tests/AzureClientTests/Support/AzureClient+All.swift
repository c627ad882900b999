@testable import AzureClient

extension AzureClient {
    /// The whole list at once, or an error: never a part.
    func all<Item: Decodable & Sendable>(
        _ type: Item.Type, _ request: AzureRequest, policy: RetryPolicy? = nil
    ) async throws(AzureError) -> [Item] {
        var items: [Item] = []
        var pages = pages(of: type, request, policy: policy).makeAsyncIterator()
        while let page = try await pages.next() { items += page }
        return items
    }
}
