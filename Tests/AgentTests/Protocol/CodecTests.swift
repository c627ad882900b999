import AgentProtocol
import Testing

@Suite struct CodecTests {
    private func decode(_ text: String) throws(RunRequestError) -> RunRequest {
        try decode(Array(text.utf8))
    }

    private func decode(_ bytes: [UInt8]) throws(RunRequestError) -> RunRequest {
        let result = bytes.withUnsafeBytes { raw in
            Result { () throws(RunRequestError) in try RunRequest(decoding: raw) }
        }
        return try result.get()
    }

    @Test("a run request comes back as it was sent") func roundTrip() throws {
        let request = RunRequest(
            arguments: ["sh", "-c", "echo 'a\nargv 3\nb'", ""], environment: ["A=1", "EMPTY=", "Ü=\u{1F40B}"],
            workingDirectory: "/a b", user: "nobody:nogroup", opensStdin: true, timeoutSeconds: 600,
            terminal: TerminalSize(rows: 24, columns: 65535))
        #expect(try decode(request.encoded()) == request)
        let plain = RunRequest(arguments: ["true"])
        #expect(try decode(plain.encoded()) == plain)
    }

    @Test("fields may come in any order and have defaults") func order() throws {
        let request = try decode("stdin 1\n1\nargv 2\nls\nenv 3\nA=1\nargv 1\n/\n")
        #expect(
            request
                == RunRequest(arguments: ["ls", "/"], environment: ["A=1"], workingDirectory: "/", opensStdin: true))
    }

    @Test(
        "what is not a run request is refused",
        arguments: [
            "", "argv", "argv 3\nls\n", "argv 1\nls\n", "argv 2\nls", "argv -1\n\n", "argv x\nls\n",
            "argv 99999999999999999999\nls\n", "argv 2 2\nls\n", "nice 1\n5\nargv 2\nls\n", "argv 0\n\n",
            "argv 2\nls\nenv 1\nA\n", "argv 2\nls\nenv 2\n=1\n", "argv 2\nls\nworkdir 3\ntmp\n",
            "argv 2\nls\nworkdir 1\n/\nworkdir 1\n/\n", "argv 2\nls\nstdin 1\n2\n", "argv 2\nls\ntty 1\n1\n",
            "argv 2\nls\ntty 6\n24x080\n", "argv 2\nls\ntty 7\n1x65536\n",
            "argv 2\nls\ntimeout 2\n-1\n", "argv 2\nls\nuser 0\n\n", "argv 3\nl\u{0}s\n",
        ]) func refused(text: String)
    {
        #expect(throws: RunRequestError.self) { try decode(text) }
    }

    @Test("bytes that are no UTF-8 are refused") func noUTF8() {
        #expect(throws: RunRequestError.self) { try decode(Array("argv 1\n".utf8) + [0xff, 0x0a]) }
    }

    @Test("no textual form of a secret or a run request shows what is in it") func redaction() throws {
        let digits = String(repeating: "5ec7e7", count: 11).prefix(64)
        let secret = try #require(AgentSecret(hex: String(digits)))
        let request = RunRequest(arguments: ["run"], environment: ["PASSWORD=5ec7e7"])
        var dumped = ""
        dump(secret, to: &dumped)
        dump(request, to: &dumped)
        let texts = [dumped, "\(secret) \(request)", String(reflecting: secret), String(reflecting: request)]
        #expect(texts.allSatisfy { !$0.contains("5ec7e7") })
        #expect(secret.revealedHex == digits)
    }

    @Test("ids are hex digits of the right number, in lower case") func identifiers() {
        #expect(BootID(String(repeating: "a", count: 32)) != nil)
        #expect(BootID(String(repeating: "A", count: 32)) == nil)
        #expect(BootID(String(repeating: "a", count: 31)) == nil)
        #expect(BootID.random() != BootID.random())
        #expect(RunToken(String(repeating: "0", count: 64)) != nil)
        #expect(RunToken(String(repeating: "0", count: 30)) == nil)
        #expect(RunToken(String(repeating: "g", count: 64)) == nil)
        #expect(AgentSecret(hex: String(repeating: "0", count: 62)) == nil)
        #expect(AgentSecret(bytes: [1]) == nil)
    }

    @Test("percent-encoding gives visible ASCII and comes back") func percentEncoding() {
        let text = "exec: \"x\": 100% schön\r\n\u{1F40B}"
        let encoded = PercentEncoding.encode(text)
        #expect(encoded.utf8.allSatisfy { (0x21...0x7e).contains($0) })
        #expect(PercentEncoding.decode(encoded) == text)
        #expect(PercentEncoding.decode("a%2") == nil)
        #expect(PercentEncoding.decode("a%zz") == nil)
    }

    @Test(
        "a report comes back from its headers",
        arguments: [
            RunReport(state: .running, startedAtNanoseconds: 7, offset: 0, end: 100),
            RunReport(
                state: .exited, exitCode: 143, reason: .deadline, startedAtNanoseconds: 1, finishedAtNanoseconds: 2,
                offset: 100, end: 100),
            RunReport(
                state: .failed, exitCode: 127, message: "no such\nthing", startedAtNanoseconds: 1,
                finishedAtNanoseconds: 2, offset: 0, end: 0),
        ]) func report(report: RunReport)
    {
        let headers = report.headers
        #expect(RunReport { name in headers.first { $0.name == name }?.value } == report)
    }

    @Test(
        "a report without what it must have is none",
        arguments: [
            AgentHeader.state, AgentHeader.exitCode, AgentHeader.offset, AgentHeader.end, AgentHeader.startedAt,
        ]) func brokenReport(missing: String)
    {
        let report = RunReport(state: .exited, exitCode: 0, startedAtNanoseconds: 1, offset: 5, end: 5)
        let headers = report.headers.filter { $0.name != missing }
        #expect(RunReport { name in headers.first { $0.name == name }?.value } == nil)
    }
}
