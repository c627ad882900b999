import Testing

@testable import AzureClient

@Suite struct ProxyRulesTests {
    func rules(_ environment: [String: String]) -> ProxyRules {
        var faults: [String] = []
        let rules = ProxyRules(environment: environment, faults: &faults)
        #expect(faults.isEmpty)
        return rules
    }

    func proxy(_ environment: [String: String], _ url: String) -> String? {
        rules(environment).proxy(for: url)?.description
    }

    @Test func `without variables everything is reached directly`() {
        #expect(proxy([:], "https://management.azure.com/") == nil)
        #expect(proxy(["HTTPS_PROXY": "", "https_proxy": ""], "https://management.azure.com/") == nil)
        #expect(ProxyRules().servers.isEmpty)
    }

    @Test func `the scheme of the request picks the proxy, and ALL_PROXY stands in`() {
        let both = ["HTTPS_PROXY": "http://one:3128", "HTTP_PROXY": "two:8080/"]
        #expect(proxy(both, "https://a.example/x?y") == "one:3128")
        #expect(proxy(both, "http://a.example") == "two:8080")
        #expect(proxy(["HTTPS_PROXY": "one", "ALL_PROXY": "http://[::1]:9"], "http://a.example") == "[::1]:9")
        #expect(proxy(["HTTPS_PROXY": "one", "ALL_PROXY": "http://[::1]:9"], "https://a.example") == "one:80")
        #expect(proxy(["HTTP_PROXY": "two"], "https://a.example") == nil)
    }

    @Test func `the lower-case spelling wins`() {
        #expect(proxy(["HTTPS_PROXY": "upper:1", "https_proxy": "lower:2"], "https://a.example") == "lower:2")
        let exceptions = ["https_proxy": "p:1", "NO_PROXY": "a.example", "no_proxy": "b.example"]
        #expect(proxy(exceptions, "https://a.example") == "p:1")
        #expect(proxy(exceptions, "https://b.example") == nil)
    }

    @Test(arguments: [
        "https://localhost:1", "https://LOCALHOST", "http://127.0.0.1", "https://127.9.9.9:8443", "https://[::1]:9",
        "http://169.254.169.254/metadata", "http://169.254.130.4:8081/msi/token", "https://[fe80::1]/",
        "https://[::ffff:127.0.0.1]/", "not a url", "",
    ]) func `this machine and its link are never asked of a proxy`(_ url: String) {
        #expect(proxy(["ALL_PROXY": "p:1"], url) == nil)
    }

    @Test(arguments: [
        ("a.example", "https://a.example", true), ("a.example", "https://x.a.example", true),
        (".a.example", "https://a.example", true), (".a.example", "https://x.y.A.example.", true),
        ("a.example", "https://ba.example", false), ("a.example", "https://a.example.evil", false),
        ("a.example:443", "https://a.example", true), ("a.example:8443", "https://a.example", false),
        ("a.example:8443", "https://x.a.example:8443", true), ("10.0.0.1", "https://10.0.0.1:9", true),
        ("10.0.0.1:9", "https://10.0.0.1:9", true), ("10.0.0.1:8", "https://10.0.0.1:9", false),
        ("10.0.0.0/8", "https://10.200.3.4", true), ("10.0.0.0/8", "https://11.0.0.1", false),
        ("10.64.0.0/10", "https://10.127.255.255", true), ("10.64.0.0/10", "https://10.128.0.0", false),
        ("0.0.0.0/0", "https://8.8.8.8", true), ("0.0.0.0/0", "https://a.example", false),
        ("10.0.0.0/8", "https://10.example", false), ("fd00::/8", "https://[fd12::1]:443", true),
        ("fd00::/8", "https://[fe12::1]", false), ("[fd00::1]:443", "https://[fd00::1]", true),
        ("fd00::1", "https://[fd00:0::1]:7", true), ("10.0.0.0/8", "https://[::ffff:10.1.1.1]", true),
        ("x, ,  a.example\t", "https://a.example", true), ("*", "https://a.example", true),
        ("", "https://a.example", false),
    ]) func `NO_PROXY names hosts, ports and networks`(_ list: String, _ url: String, _ isDirect: Bool) {
        #expect((proxy(["HTTPS_PROXY": "p:1", "NO_PROXY": list], url) == nil) == isDirect)
    }

    @Test(arguments: [
        "socks5://p:1", "https://p:1", "http://", "p:0", "p:70000", "http://p:1/path", "http://p?x", "http://p#x",
        "http://a b",
    ]) func `what is no plain HTTP proxy is a fault that shows no password`(_ text: String) {
        var faults: [String] = []
        let environment = ["HTTPS_PROXY": text, "ALL_PROXY": "ftp://user:canary@p"]
        let rules = ProxyRules(environment: environment, faults: &faults)
        #expect(faults.count == 2 && faults.allSatisfy { !$0.contains("canary") }, "\(faults)")
        #expect(rules.proxy(for: "https://a.example") == nil)
    }

    @Test(arguments: [
        "10.0.0.0/33", "10.0.0/8", "a.example/8", "a:0", "a:x", "*.a.example", ":80", "a:1:2/3", "fd00::/129",
    ])
    func `a part of NO_PROXY that cannot be read is a fault`(_ part: String) {
        var faults: [String] = []
        _ = ProxyRules(environment: ["NO_PROXY": part], faults: &faults)
        #expect(faults.count == 1)
    }

    @Test func `the user in a proxy's address is decoded and kept secret`() {
        let proxy = rules(["HTTPS_PROXY": "http://us%40er:can%3Aary@p:1"]).proxy(for: "https://a.example")
        #expect(proxy?.credentials?.reveal() == "us@er:can:ary")
        #expect(proxy?.description == "p:1")
    }
}
