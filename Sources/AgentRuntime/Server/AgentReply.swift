import AgentProtocol
import NIOCore

/// What a request gets back, before the agent signs it.
struct AgentReply {
    var status: Int
    var headers: [(name: String, value: String)] = []
    var body = ByteBuffer()
    /// Called once the whole reply was given to the socket.
    var onSent: (() -> Void)?

    /// What is wrong with the request, for the one who proved to have sent it.
    static func badRequest(_ reason: String) -> AgentReply {
        AgentReply(status: 400, headers: [(AgentHeader.message, PercentEncoding.encode(reason))])
    }

    static func conflict(_ conflict: AgentConflict) -> AgentReply {
        AgentReply(status: 409, headers: [(AgentHeader.conflict, conflict.rawValue)])
    }

    static var unknown: AgentReply { AgentReply(status: 404) }
}

/// A request whose signature was found good.
struct AgentRequest {
    enum Verb {
        case get
        case post
    }

    let verb: Verb
    /// `skls`, `v1`, …
    let path: [Substring]
    let query: [Substring: String]
    let body: ByteBuffer

    /// Nil for a method that nothing here understands.
    init?(method: String, uri: String, body: ByteBuffer) {
        switch method {
        case "GET": verb = .get
        case "POST": verb = .post
        default: return nil
        }
        let parts = uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        path = parts[0].split(separator: "/", omittingEmptySubsequences: true)
        var query: [Substring: String] = [:]
        for field in parts.count > 1 ? parts[1].split(separator: "&") : [] {
            let pair = field.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            query[pair[0]] = pair.count > 1 ? PercentEncoding.decode(String(pair[1])) : ""
        }
        self.query = query
        self.body = body
    }
}
