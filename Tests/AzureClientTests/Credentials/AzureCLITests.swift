import Foundation
import Subprocess
import Testing

@testable import AzureClient

/// The credential with a script in the place of the CLI.
@Suite(.timeLimit(.minutes(1))) struct AzureCLITests {
    let scope = TokenScope(rawValue: "https://management.azure.com/.default")

    /// What the credential answers when `az` is that script. A program of its own writes it: a file that this process
    /// has open for writing while another test starts a program could not be run.
    func answer(
        _ script: String, scope: TokenScope? = nil, tenant: String? = nil, claims: ClaimsChallenge? = nil,
        timeLimit: Duration = .seconds(30)
    ) async throws -> CredentialAnswer {
        try await TestFolder.run { folder in
            let source = try folder.file("script", "#!/bin/sh\ncd \(folder.path)\n" + script)
            let made = try await Subprocess.run(
                .name("sh"),
                arguments: ["-c", "cat \(source) > \(folder.path)/az && chmod 755 \(folder.path)/az"],
                output: .discarded)
            #expect(made.terminationStatus.isSuccess)
            let credential = AzureCLICredential(
                searchPath: "relative:/nonexistent:\(folder.path):/bin", tenant: tenant,
                clock: ScriptedTransport { _, _ in .json(500, "") }.clock, timeLimit: timeLimit)
            return try await credential.answer(
                scope ?? self.scope, claims: claims, correlationID: Sample.correlation)
        }
    }

    func reason(_ script: String, timeLimit: Duration = .seconds(30)) async throws -> String {
        guard case .unavailable(let reason) = try await answer(script, timeLimit: timeLimit) else {
            throw Sample.Missing()
        }
        return reason
    }

    func printing(_ json: String) -> String { "cat <<'END'\n\(json)\nEND\n" }

    @Test func `the CLI is asked for the scope, and its end counts before its local date`() async throws {
        let script = """
            [ "$*" = "account get-access-token --output json --scope https://management.azure.com/.default --tenant t-1" ] || exit 9
            [ "$AZURE_CORE_NO_COLOR" = true ] || exit 8
            echo noise >&2

            """
            + printing(
                #"{"accessToken":"abc","expiresOn":"2001-01-01 00:00:00.000000","expires_on":1000000600,"tokenType":"Bearer"}"#
            )
        guard case .token(let token) = try await answer(script, tenant: "t-1") else { throw Sample.Missing() }
        #expect(token.secret.reveal() == "abc")
        let left = token.expiresAt - ContinuousClock().now
        #expect(left > .seconds(500) && left <= .seconds(600))
    }

    @Test func `a date without a zone is one of this machine's clock`() throws {
        var parts = tm()
        var now = time_t(1_767_323_045)
        localtime_r(&now, &parts)
        let text = String(
            format: "%04d-%02d-%02d %02d:%02d:%02d.000000", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
            parts.tm_hour, parts.tm_min, parts.tm_sec)
        let token = CLIToken.parse(#"{"accessToken":"abc","expiresOn":"\#(text)"}"#)
        #expect(token?.end == 1_767_323_045)
        for text in ["2026-02-30", "2026-01-02T03:04:05", "2026-13-02 03:04:05", "x y", "2026-01-02 03:04"] {
            #expect(CLIToken.parse(#"{"accessToken":"abc","expiresOn":"\#(text)"}"#) == nil)
        }
    }

    @Test func `nobody signed in is no fault of the credential`() async throws {
        let reason = try await reason("echo \"ERROR: Please run 'az login' to setup account.\" >&2; exit 1")
        #expect(reason == "nobody is signed in to the Azure CLI: run az login")
    }

    @Test func `a refusal by Entra is told, without the token in it`() async throws {
        let reason = try await reason(
            "echo 'ERROR: AADSTS70043: expired. eyJhbGciOi.canary-1 Interactive: az login' >&2; exit 1")
        #expect(reason.contains("AADSTS70043") && !reason.contains("canary"))
    }

    @Test func `an answer without a token is passed over`() async throws {
        for output in [
            "", "{}", "[1]", #"{"accessToken":"","expires_on":1}"#, #"{"accessToken":"a\nb","expires_on":1}"#,
        ] {
            #expect(try await reason(printing(output)).contains("without a token"), "\(output)")
        }
        #expect(try await reason("head -c 1000000 /dev/zero").contains("cannot be run"))
    }

    @Test func `a CLI that hangs is ended with all it started`() async throws {
        let reason = try await reason("sleep 3600 & sleep 3600", timeLimit: .milliseconds(200))
        #expect(reason.contains("no answer within"))
    }

    @Test func `without a CLI the credential cannot be used`() async throws {
        let credential = AzureCLICredential(
            searchPath: "relative:/nonexistent", tenant: nil,
            clock: ScriptedTransport { _, _ in .json(500, "") }.clock)
        guard
            case .unavailable(let reason) = try await credential.answer(
                scope, claims: nil, correlationID: Sample.correlation)
        else { throw Sample.Missing() }
        #expect(reason.contains("not installed"))
    }

    @Test func `nothing reaches the CLI that a shell could take for a command`() async throws {
        for text in ["https://a;touch x", "a b", "$(x)", "a|b", "a\nb", "`x`", "ä"] {
            for (scope, tenant) in [(TokenScope(rawValue: text), nil), (self.scope, text)] {
                await #expect(throws: AzureError.self) { try await answer("exit 7", scope: scope, tenant: tenant) }
            }
        }
    }

    @Test func `claims are beyond the CLI`() async throws {
        let claims = try #require(ClaimsChallenge(json: Array("{}".utf8)))
        guard case .unavailable(let reason) = try await answer("exit 7", claims: claims) else { throw Sample.Missing() }
        #expect(reason.contains("az login"))
    }
}
