import Testing

@testable import AzureClient

@Suite struct AddressTests {
    @Test func `everything but unreserved characters is encoded`() {
        #expect(PercentEncoding.encoded("aZ09-._~") == "aZ09-._~")
        #expect(PercentEncoding.encoded("a b/c?d#e%f&g=h+ü") == "a%20b%2Fc%3Fd%23e%25f%26g%3Dh%2B%C3%BC")
        #expect(PercentEncoding.form([("a b", "1&2"), ("c", "")]) == "a%20b=1%262&c=")
    }

    @Test(arguments: [
        ("https://Management.Azure.com", "https://management.azure.com"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"), ("https://a.example:443/base/", "https://a.example/base"),
        ("http://[::1]:9", "http://[::1]:9"),
    ]) func `a service address is brought to one form`(_ text: String, _ expected: String) throws {
        #expect(try ServiceURL(text).description == expected)
    }

    @Test(arguments: [
        "", "management.azure.com", "ftp://a", "https://", "https://u:p@a", "https://a?b", "https://a#b", "https://a:0",
    ])
    func `what is no plain service address is refused`(_ text: String) {
        #expect(throws: AzureError.self) { try ServiceURL(text) }
    }

    @Test func `a refused address does not show its password`() {
        let error = #expect(throws: AzureError.self) { try ServiceURL("https://user:canary@a.example") }
        #expect(error?.description.contains("canary") == false)
    }

    @Test func `a link is followed only to the very same service`() throws {
        let service = try ServiceURL("https://management.example")
        for link in ["https://management.example/x?$skiptoken=1", "HTTPS://MANAGEMENT.EXAMPLE:443/y"] {
            #expect(service.owns(link))
        }
        let foreign = [
            "http://management.example/x", "https://management.example.evil.example/", "https://evil.example/",
            "https://management.example@evil.example/", "https://u@management.example/",
            "https://management.example:444/",
            "//management.example/x", "/x", "",
        ]
        for link in foreign { #expect(!service.owns(link), "\(link)") }
    }

    @Test func `credentials travel over plain http only inside this machine`() throws {
        for url in ["http://127.0.0.1:1", "http://localhost:2", "http://[::1]:3", "https://sim.example"] {
            #expect(throws: Never.self) { try Sample.environment(url) }
        }
        for url in ["http://management.azure.com", "http://127.0.0.1.evil.example", "http://10.0.0.1"] {
            #expect(throws: AzureError.self) { try Sample.environment(url) }
        }
        #expect(try AzureEnvironment().scope.rawValue == "https://management.azure.com/.default")
        #expect(try AzureEnvironment(audience: "https://a/").scope.rawValue == "https://a/.default")
    }

    @Test func `a site's id is built from names that cannot leave their place`() throws {
        let scope = try AzureScope(subscriptionID: Sample.subscription, resourceGroup: "my (group)")
        #expect(
            scope.site(try Sample.name()).escapedPath
                == "/subscriptions/\(Sample.subscription)/resourceGroups/my%20%28group%29/providers/Microsoft.Web/sites/skls-sample"
        )
        for group in ["", ".", "..", "a/b", "a\nb", String(repeating: "g", count: 300)] {
            #expect(throws: AzureError.self) { try AzureScope(subscriptionID: "s", resourceGroup: group) }
        }
    }

    @Test func `ids that differ in case name the same resource`() {
        let id = ResourceID("/subscriptions/S/resourceGroups/G/providers/Microsoft.Web/sites/a")
        #expect(id == ResourceID("/SUBSCRIPTIONS/s/resourcegroups/g/providers/microsoft.web/sites/A"))
        #expect(id?.name == "a")
        #expect(Set([id, ResourceID("/subscriptions/s/resourceGroups/g/providers/microsoft.web/sites/A")]).count == 1)
        for text in [
            "", "/", "subscriptions/s", "/providers/x", "/subscriptions/", "/subscriptions/s//x",
            "/subscriptions/s/../t",
        ] {
            #expect(ResourceID(text) == nil, "\(text)")
        }
    }

    @Test func `a site name is one that Azure takes`() {
        for text in ["ab", "skls-2b", "A-1", String(repeating: "a", count: 60)] {
            #expect(SiteName(rawValue: text) != nil)
        }
        for text in ["", "a", "-ab", "ab-", "a_b", "a.b", "aü", "a b", String(repeating: "a", count: 61)] {
            #expect(SiteName(rawValue: text) == nil, "\(text)")
        }
    }

    @Test func `a drawn id is a random GUID that its own parser takes`() {
        var generator = SplitMix(seed: 1)
        let ids = (0..<100).map { _ in GUID.random(using: &generator) }
        #expect(Set(ids).count == 100)
        for id in ids {
            #expect(GUID(id.description) == id)
            #expect(Array(id.description)[14] == "4" && "89ab".contains(Array(id.description)[19]))
        }
        #expect(GUID("ABCDEF01-0000-4000-8000-000000000001")?.description == "abcdef01-0000-4000-8000-000000000001")
        for text in ["", "x", "00000000-0000-4000-8000-00000000000g", "00000000-0000-4000-8000-0000-0000000"] {
            #expect(GUID(text) == nil)
        }
    }
}
