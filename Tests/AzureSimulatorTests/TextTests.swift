import Testing

@testable import AzureSimulator

@Suite struct TextTests {
    @Test(arguments: [
        ("alpine", "docker.io/library/alpine:latest"), ("alpine:3.20", "docker.io/library/alpine:3.20"),
        ("docker.io/alpine", "docker.io/library/alpine:latest"),
        ("index.docker.io/library/alpine", "docker.io/library/alpine:latest"),
        ("team/tool:1", "docker.io/team/tool:1"), ("localhost/a", "localhost/a:latest"),
        ("example.com:5000/team/tool", "example.com:5000/team/tool:latest"),
        ("alpine@sha256:abc", "docker.io/library/alpine@sha256:abc"),
        ("alpine:3@sha256:abc", "docker.io/library/alpine@sha256:abc"),
    ])
    func `references to images have one normal form`(text: String, normal: String) {
        #expect(ImageReference(text)?.description == normal)
    }

    @Test(arguments: ["", "a b", "a//b", "/a", "a:", "a@"])
    func `what is no reference is refused`(text: String) {
        #expect(ImageReference(text) == nil)
    }

    @Test(arguments: [
        #"{"a":[1,-2.5e+3,true,false,null,"x\"\\\n\u0001ü"],"b":{}}"#, "[]", #""text""#, "0",
    ])
    func `JSON comes back as it was`(text: String) throws {
        #expect(String(decoding: try JSON(parsing: Array(text.utf8)).encoded, as: UTF8.self) == text)
    }

    @Test(arguments: [
        "", "{", "[1,]", "{\"a\"}", "01", "1.", "tru", "\"\u{1}\"", "\"\\ud800\"", "[] x", "\"\\x\"", "-", "nul",
        String(repeating: "[", count: 1_000),
    ])
    func `what is no JSON is refused`(text: String) {
        #expect(throws: JSON.SyntaxError.self) { try JSON(parsing: Array(text.utf8)) }
    }

    @Test func `escapes and a byte order mark are read`() throws {
        let bytes = [0xEF, 0xBB, 0xBF] + Array(#" { "A" : "\u00fc\ud83d\ude00\/" } "#.utf8)
        #expect(try JSON(parsing: bytes)["a"] == "ü😀/")
    }

    @Test func `text that is not UTF-8 is refused`() {
        #expect(throws: JSON.SyntaxError.self) { try JSON(parsing: [0x22, 0xFF, 0x22]) }
    }

    @Test func `percent-encoding goes both ways, and broken or dangerous text is refused`() {
        #expect(URLText.decode(URLText.encode("a b/ü%&")) == "a b/ü%&")
        for text in ["%", "%4", "%zz", "%00", "%ff"] { #expect(URLText.decode(text) == nil) }
        #expect(URLText.pairs("a=1+2&b&c=%20").map(\.value) == ["1 2", "", " "])
    }

    @Test func `base 64 goes both ways`() {
        for count in 0..<10 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 91 + 200) }
            #expect(Base64URL.decode(Base64URL.encode(bytes)) == bytes)
        }
        #expect(Base64URL.encode([0xFB, 0xFF]) == "-_8")
        #expect(Base64URL.decode("a=") == nil)
    }

    @Test func `times have the forms that Azure writes`() {
        let time = Instant(nanoseconds: 1_709_214_246_670_000_000)
        #expect(time.iso8601 == "2024-02-29T13:44:06.670Z")
        #expect(time.lastModified == "2024-02-29T13:44:06.67")
        #expect(time.routingStamp == "20240229T134406Z")
        #expect(time.httpDate == "Thu, 29 Feb 2024 13:44:06 GMT")
        #expect(time.american == "2/29/2024 1:44:06 PM")
        #expect(Instant(nanoseconds: 0).american == "1/1/1970 12:00:00 AM")
    }

    @Test func `ids have the forms that Azure draws`() {
        var generator = SeededGenerator(seed: 3)
        let id = generator.guid()
        #expect(id.split(separator: "-").map(\.count) == [8, 4, 4, 4, 12])
        #expect(Array(id)[14] == "4")
        #expect(generator.hex(64).count == 64)
        #expect(generator.guid() != id)
    }

    @Test func `the registry knows its images by every tag and by their digest`() throws {
        var script = WorldScript()
        #expect(script.send("GET", "/v2/").status == 200)
        let reply = script.send("GET", "/v2/library/alpine/manifests/3.20")
        let digest = try #require(reply.header("Docker-Content-Digest"))
        #expect(reply.status == 200)
        #expect(script.send("HEAD", "/v2/alpine/manifests/\(digest)").body.isEmpty)
        #expect(script.send("HEAD", "/v2/alpine/manifests/\(digest)").status == 200)
        #expect(script.send("GET", "/v2/example.com/team/tool/manifests/1").status == 200)
        for path in ["/v2/nosuch/manifests/latest", "/v2/alpine/manifests/sha256:00"] {
            let reply = script.send("GET", path)
            #expect(reply.status == 404)
            #expect(json(reply)["errors"]?.array?.first?.string("code") == "MANIFEST_UNKNOWN")
        }
        _ = script.put("a1", body: WorldScript.body(image: "alpine@\(digest)"))
        #expect(script.started != nil)
        _ = script.put("a2", body: WorldScript.body(image: "other.example/alpine"))
        #expect(script.started == nil)
    }
}
