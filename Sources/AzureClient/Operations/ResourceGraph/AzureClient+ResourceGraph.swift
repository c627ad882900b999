import NIOCore
import NIOHTTP1

/// The pages of an answer of Azure Resource Graph, one at a time. One query of the user's quota per page.
package struct GraphPages: AsyncSequence, Sendable {
    package typealias Element = GraphPage
    package typealias Failure = AzureError

    let client: AzureClient
    let query: GraphQuery
    let correlationID: CorrelationID

    package func makeAsyncIterator() -> Iterator {
        Iterator(client: client, query: query, correlationID: correlationID)
    }

    package struct Iterator: AsyncIteratorProtocol {
        let client: AzureClient
        let query: GraphQuery
        let correlationID: CorrelationID
        private var token: String?
        private var seen: Set<String> = []
        private var isAtEnd = false

        init(client: AzureClient, query: GraphQuery, correlationID: CorrelationID) {
            self.client = client
            self.query = query
            self.correlationID = correlationID
        }

        /// - Throws: `invalid` for a query that Azure cannot read, `throttled` when the quota is used up,
        ///   `malformedReply` for pages that do not end.
        package mutating func next() async throws(AzureError) -> GraphPage? {
            guard !isAtEnd else { return nil }
            isAtEnd = true
            let post = try client.graphRequest(query, skipToken: token, correlationID: correlationID)
            // A query changes nothing, so that a failed one is simply asked again.
            let reply = try await client.persistently(post)
            let page = try client.decoded(GraphDocument.self, from: reply, to: post).page
            guard let next = page.skipToken else { return page }
            guard seen.insert(next).inserted, seen.count < PageLimit.mostPages else {
                throw AzureError(unusable: reply, to: post, message: "the pages of the answer do not end")
            }
            token = next
            isAtEnd = false
            return page
        }

        package mutating func next(isolation actor: isolated (any Actor)?) async throws(AzureError) -> GraphPage? {
            try await next()
        }
    }
}

extension AzureClient {
    /// The version of Microsoft.ResourceGraph whose published examples the documents here follow.
    static let graphVersion = "2022-10-01"

    /// A question to Resource Graph about this client's subscription.
    package func graphQuery(_ text: String) -> GraphQuery {
        GraphQuery(text, subscriptions: [scope.group.segments[1]])
    }

    /// The answer to a query, a page at a time.
    package func graphPages(_ query: GraphQuery, correlationID: CorrelationID) -> GraphPages {
        GraphPages(client: self, query: query, correlationID: correlationID)
    }

    /// The answer to a query, whole or up to ``GraphQuery/mostRows``; which of both is said.
    package func graph(_ query: GraphQuery, correlationID: CorrelationID) async throws(AzureError) -> GraphAnswer {
        var answer = GraphAnswer(rows: [], isComplete: true)
        var pages = graphPages(query, correlationID: correlationID).makeAsyncIterator()
        while let page = try await pages.next() {
            answer.rows += page.rows
            if page.isTruncated { answer.isComplete = false }
            let excess = answer.rows.count - query.mostRows
            guard excess < 0 || excess == 0 && page.skipToken == nil else {
                answer.rows.removeLast(excess)
                answer.isComplete = false
                break
            }
        }
        return answer
    }

    fileprivate func graphRequest(
        _ query: GraphQuery, skipToken: String?, correlationID: CorrelationID
    ) throws(AzureError) -> AzureRequest {
        let body = GraphBody(
            subscriptions: query.subscriptions, query: query.text,
            options: .init(top: min(max(query.pageRows, 1), GraphQuery.mostPageRows), skipToken: skipToken))
        var post = try request(
            .queryGraph, .POST, ResourceID(unchecked: ["providers", "Microsoft.ResourceGraph", "resources"]),
            apiVersion: Self.graphVersion, body: body, isWrite: false, correlationID: correlationID)
        post.resource = "Microsoft.ResourceGraph"
        return post
    }
}
