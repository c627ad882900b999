import HTTPTypes
import HummingbirdCore

/// What the web server in front of Resource Manager refuses before anybody looks at it: HTTP.sys, by its pages (seen in
/// public reports of clients that got them; that `POST` needs a length is the trap of `curl -X POST`).
enum RequestForm {
    /// The longest target of a request, in bytes: HTTP.sys takes 16 KiB of request line and headers unless told
    /// otherwise (Windows Server docs, Http.sys registry settings, read 2026-02). That ARM keeps that default is a guess;
    /// twice as much is taken here, as nobody needs it.
    private static let longestTargetBytes = 32 * 1_024

    /// The page for a request that has no proper form; nil for one that has.
    static func refusal(of request: Request) -> Reply? {
        let target = request.head.path ?? "/"
        if target.utf8.count > longestTargetBytes {
            return page(414, "Request-URI Too Long", "The request URL is too long.", heading: "Request URL Too Long")
        }
        if URLText.decode(target.prefix { $0 != "?" }) == nil {
            return page(400, "Bad Request", "The request URL is invalid.", heading: "Bad Request - Invalid URL")
        }
        if [.post, .put, .patch].contains(request.method), request.headers[.contentLength] == nil,
            request.headers[.transferEncoding] == nil
        {
            return page(
                411, "Length Required", "The request must be chunked or have a content length.",
                heading: "Length Required")
        }
        return nil
    }

    private static func page(_ status: Int, _ title: String, _ sentence: String, heading: String) -> Reply {
        .text(
            status,
            "<HTML><HEAD><TITLE>\(title)</TITLE></HEAD><BODY><h2>\(heading)</h2><hr><p>HTTP Error \(status). "
                + "\(sentence)</p></BODY></HTML>", type: "text/html; charset=us-ascii")
    }
}
