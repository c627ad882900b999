@testable import AzureSimulator

/// What tests of Microsoft.Web say often.
extension WorldScript {
    static let web = "\(group)/providers/Microsoft.Web"
    static let subscriptionWeb = "/subscriptions/sub/providers/Microsoft.Web"

    static func plan(_ name: String, _ suffix: String = "") -> String { "\(web)/serverfarms/\(name)\(suffix)" }

    /// A request below a site of the first group.
    @discardableResult
    mutating func site(_ method: String, _ suffix: String, of name: String = "a1", body: String = "") -> Reply {
        arm(method, Self.site(name, suffix: suffix), body: body)
    }

    mutating func properties(of name: String = "a1") -> JSON {
        json(arm("GET", Self.site(name)))["properties"] ?? .null
    }

    /// The reply to the last request although it blocks, and when it goes out.
    var delayed: (reply: Reply, at: Instant)? {
        for case .replyLater(_, let reply, let time) in last { return (reply, time) }
        return nil
    }

    /// Puts a site whose container becomes ready at once.
    mutating func serve(_ name: String = "a1", body: String = WorldScript.body()) -> InstanceID? {
        _ = put(name, body: body)
        guard let launch = started else { return nil }
        _ = tell(.containerReady(launch.instance))
        return launch.instance
    }

    /// The page that a visitor gets at once; 0 if the request waits, 200 if a container takes it.
    mutating func status(of host: String) -> Int {
        switch visit(host).1 {
        case .reply(_, let page): page.status
        case .forward: 200
        default: 0
        }
    }
}
