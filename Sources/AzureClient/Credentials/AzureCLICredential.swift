import FoundationEssentials
import Subprocess
import SystemPackage

/// The account that somebody signed in to with `az login` on this machine (azure-cli docs, `az account
/// get-access-token`, read 2026-11). For developers: the tokens are a person's.
struct AzureCLICredential: CredentialCandidate {
    /// As the SDKs do; the CLI starts a Python interpreter and may call Entra.
    static let timeout = Duration.seconds(10)
    static let mostBytes = 256 << 10

    let kind = CredentialKind.azureCLI
    /// Where `az` is looked for, as in `PATH`; parts that are not absolute are left out.
    let searchPath: String
    let tenant: String?
    let clock: AzureClock
    var timeLimit = Self.timeout

    func answer(
        _ scope: TokenScope, claims: ClaimsChallenge?, correlationID: CorrelationID
    ) async throws(AzureError) -> CredentialAnswer {
        // The CLI may hand its arguments to a shell.
        guard scope.rawValue.utf8.allSatisfy(Self.isSafe), tenant?.utf8.allSatisfy(Self.isSafe) ?? true else {
            throw failure(
                .invalid, "the scope or the tenant has characters that must not reach a shell", scope, correlationID)
        }
        if claims != nil {
            return .unavailable("more is demanded of the token than the Azure CLI can ask for; run az login again")
        }
        guard let executable else { return .unavailable("the Azure CLI is not installed: no az in PATH") }
        var arguments = ["account", "get-access-token", "--output", "json", "--scope", scope.rawValue]
        if let tenant { arguments += ["--tenant", tenant] }
        let asked = clock.now()
        switch await run(executable, arguments) {
        case .cancelled: throw failure(.cancelled, "cancelled", scope, correlationID)
        case .timedOut: return .unavailable("the Azure CLI gives no answer within \(timeLimit)")
        case .failed(let why): return .unavailable("the Azure CLI cannot be run: \(why)")
        case .ended(let isSuccess, let output, let errors):
            guard isSuccess else {
                // Entra's refusals name az login as well, as their remedy.
                if errors.contains("az login") || errors.contains("az account set"), !errors.contains("AADSTS") {
                    return .unavailable("nobody is signed in to the Azure CLI: run az login")
                }
                return .unavailable("the Azure CLI failed: \(SafeText.escaped(Self.withoutTokens(errors), limit: 300))")
            }
            guard let token = CLIToken.parse(output) else {
                return .unavailable("the Azure CLI answered without a token")
            }
            return .token(
                AccessToken.expiring(
                    token.secret, in: token.end.subtractingReportingOverflow(clock.unixSeconds()).partialValue,
                    since: asked))
        }
    }

    private enum Ending: Sendable {
        case ended(isSuccess: Bool, output: String, errors: String)
        case failed(String)
        case timedOut
        case cancelled
    }

    /// Runs the CLI in a folder that nobody but the system writes to, and ends it with all it started when the time
    /// is over or the caller is cancelled.
    private func run(_ executable: FilePath, _ arguments: [String]) async -> Ending {
        await withTaskGroup(of: Ending?.self) { group in
            group.addTask {
                var options = PlatformOptions()
                options.createSession = true
                options.teardownSequence = [
                    .send(signal: .kill, toProcessGroup: true, allowedDurationToNextStep: .seconds(1))
                ]
                do {
                    let result = try await Subprocess.run(
                        .path(executable), arguments: Arguments(arguments),
                        environment: .inherit.updating(["AZURE_CORE_NO_COLOR": "true"]), workingDirectory: "/",
                        platformOptions: options, output: .string(limit: Self.mostBytes),
                        error: .string(limit: Self.mostBytes))
                    return .ended(
                        isSuccess: result.terminationStatus.isSuccess, output: result.standardOutput,
                        errors: result.standardError)
                } catch {
                    return Task.isCancelled ? nil : .failed("\(error)")
                }
            }
            group.addTask { [timeLimit] in
                do {
                    try await ContinuousClock().sleep(for: timeLimit)
                    return .timedOut
                } catch {
                    return nil  // Cancelled: the run says how it ended.
                }
            }
            for await ending in group {
                guard let ending, !Task.isCancelled else { continue }
                group.cancelAll()
                return ending
            }
            return .cancelled
        }
    }

    private var executable: FilePath? {
        searchPath.split(separator: ":").filter { $0.hasPrefix("/") }.map { "\($0)/az" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }.map { FilePath($0) }
    }

    private static func isSafe(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: ":"),
            UInt8(ascii: "/"), UInt8(ascii: "_"):
            true
        default: false
        }
    }

    /// Error texts of the CLI can repeat what it had printed before.
    private static func withoutTokens(_ text: String) -> String {
        text.replacing(#/eyJ[A-Za-z0-9_.\-]*/#, with: Secret.redacted)
    }

    private func failure(
        _ code: AzureError.Code, _ message: String, _ scope: TokenScope, _ correlationID: CorrelationID
    ) -> AzureError {
        AzureError(
            code: code, operation: .fetchToken, resource: scope.rawValue, message: message,
            correlationID: correlationID.description)
    }
}

/// What the CLI prints.
struct CLIToken {
    let secret: Secret
    /// Seconds since 1970.
    let end: Int64

    /// Nil if the text is no token. `expires_on` (since CLI 2.54) counts before `expiresOn`, which has no zone.
    static func parse(_ output: String) -> CLIToken? {
        // Why the text is no JSON makes no difference.
        guard let fields = try? JSONValue(parsing: output.utf8),
            let token = fields["accessToken"]?.string, !token.isEmpty,
            token.utf8.allSatisfy({ (0x21...0x7E).contains($0) }),
            let end = fields["expires_on"].flatMap({ $0.integer ?? $0.string.flatMap { Int64($0) } })
                ?? fields["expiresOn"]?.string.flatMap(CivilTime.localUnixSeconds)
        else { return nil }
        return CLIToken(secret: Secret(token), end: end)
    }
}
