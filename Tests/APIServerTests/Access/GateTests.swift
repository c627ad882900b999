import Glibc
import HTTPTypes
import SystemPackage
import Testing

@testable import APIServer

@Suite("Who is let in")
struct GateTests {
    private static let files = TCPListener.TLSFiles(certificate: "c", key: "k")
    private static let mutual = TCPListener.TLSFiles(certificate: "c", key: "k", clientAuthority: "a")

    @Test(
        "TCP beyond this machine needs proof of who connects",
        arguments: [
            (TCPListener(host: "127.0.0.1", port: 1), true), (TCPListener(host: "::1", port: 1), true),
            (TCPListener(host: "localhost", port: 1), true), (TCPListener(host: "0.0.0.0", port: 1), false),
            (TCPListener(host: "10.0.0.1", port: 1, tls: files), false),
            (TCPListener(host: "0.0.0.0", port: 1, tls: mutual), true),
            (TCPListener(host: "::", port: 1, tokenFile: "t"), false),
            (TCPListener(host: "::", port: 1, tls: files, tokenFile: "t"), true),
            (TCPListener(host: "127.0.0.1", port: 1, tokenFile: "t"), true),
        ])
    func listeners(listener: TCPListener, isOpened: Bool) {
        #expect((listener.refusal == nil) == isOpened, "\(listener.refusal ?? "")")
    }

    @Test("addresses are read as dockerd's, and names of other machines are none")
    func addresses() {
        #expect(TCPListener("tcp://127.0.0.1:2375") == TCPListener(host: "127.0.0.1", port: 2375))
        #expect(TCPListener("tcp://[::1]:2376") == TCPListener(host: "::1", port: 2376))
        #expect(TCPListener(":9100") == TCPListener(host: "127.0.0.1", port: 9100))
        for text in ["tcp://example.com:1", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", "unix:///a:1", ""] {
            #expect(TCPListener(text) == nil, "\(text)")
        }
    }

    @Test(
        "pages of browsers and other hosts' names are turned away on TCP",
        arguments: [
            ("localhost:2375", "", "", 200), ("127.0.0.1:2375", "", "", 200), ("[::1]:2375", "", "", 200),
            ("10.1.2.3", "", "", 200), ("evil.example:2375", "", "", 403), ("localhost.evil.example", "", "", 403),
            ("", "", "", 403), ("127.0.0.1.evil.example", "", "", 403), ("localhost:1", "http://evil.example", "", 403),
            ("localhost:1", "null", "", 403), ("localhost:1", "http://localhost:1", "", 200),
            ("localhost:1", "http://localhost:2", "", 403), ("localhost:1", "", "cross-site", 403),
            ("localhost:1", "", "same-site", 403), ("localhost:1", "", "same-origin", 200),
            ("localhost:1", "", "none", 200),
        ])
    func browsers(host: String, origin: String, site: String, status: Int) throws {
        let listener = TCPListener(host: "127.0.0.1", port: 2375)
        var request = HTTPRequest(method: .get, scheme: nil, authority: host, path: "/info")
        if !origin.isEmpty { request.headerFields[.origin] = origin }
        if !site.isEmpty { request.headerFields[.secFetchSite] = site }
        let refusal = RequestGate.tcp(listener, try AccessFiles(listener)).refusal(of: request)
        #expect((refusal?.status.code ?? 200) == status)
        // Who may open the socket may say what it likes.
        #expect(RequestGate.unixSocket.refusal(of: request) == nil)
    }

    @Test("what a typed address asks for changes nothing")
    func typedAddress() throws {
        let listener = TCPListener(host: "127.0.0.1", port: 2375)
        var request = HTTPRequest(method: .post, scheme: nil, authority: "localhost", path: "/containers/prune")
        request.headerFields[.secFetchSite] = "none"
        #expect(RequestGate.tcp(listener, try AccessFiles(listener)).refusal(of: request)?.status == .forbidden)
    }

    @Test("bodies in a wrapping that is not looked into are refused on every listener")
    func wrappings() {
        for (name, value, status) in [
            (HTTPField.Name.transferEncoding, "gzip, chunked", 400), (.transferEncoding, "identity", 400),
            (.contentEncoding, "gzip", 415), (.contentEncoding, "identity", 0), (.transferEncoding, "Chunked", 0),
        ] {
            var request = HTTPRequest(method: .post, scheme: nil, authority: "x", path: "/auth")
            request.headerFields[name] = value
            #expect((RequestGate.unixSocket.refusal(of: request)?.status.code ?? 0) == status, "\(value)")
        }
    }

    @Test("tokens are taken from a file that others cannot read, and never shown")
    func tokens() throws {
        let directory = try TestDirectory()
        defer { directory.remove() }
        let good = String(repeating: "a1", count: 20)
        let path = try directory.write("tokens", "# ours\n\n  \(good)\n" + String(repeating: "z", count: 32) + "\n")
        let tokens = try AccessTokens(path: path)
        #expect(tokens.accept(good) && tokens.accept(String(repeating: "z", count: 32)))
        for text in ["", "# ours", good + "x", String(good.dropLast())] { #expect(!tokens.accept(text)) }
        #expect(!"\(tokens)\(String(reflecting: tokens))".contains("a1"))
        for (text, mode, part) in [
            (good, 0o644, "every user can read it"), ("short", 0o600, "fewer than"),
            ("# none\n", 0o600, "holds no token"),
            (String(repeating: good + "\n", count: 4000), 0o600, "longer than"),
        ] as [(String, mode_t, String)] {
            let path = try directory.write("bad", text, mode: mode)
            let error = #expect(throws: AccessError.self) { try AccessTokens(path: path) }
            #expect(error?.description.contains(part) == true, "\(error?.description ?? "")")
            #expect(error?.description.contains("a1a1") != true)
        }
        #expect(throws: AccessError.self) { try AccessTokens(path: directory.path + "/none") }
    }

    @Test("texts of clients are logged without what could forge a line")
    func safeTexts() {
        #expect(RequestLog.safe("/a\r\nlevel=error\u{1b}[31m\u{202e}é") == "/a??level=error?[31m?????")
        #expect(RequestLog.safe(String(repeating: "x", count: 300)).count == 257)
    }
}

extension TestDirectory {
    func write(_ name: String, _ text: String, mode: mode_t = 0o600) throws -> String {
        let path = path + "/" + name
        let file = try FileDescriptor.open(
            path, .writeOnly, options: [.create, .truncate], permissions: FilePermissions(rawValue: 0o600))
        try file.closeAfter { _ = try file.writeAll(text.utf8) }
        guard chmod(path, mode) == 0 else { throw Errno(rawValue: errno) }
        return path
    }
}
