import CryptoExtras
import NIOConcurrencyHelpers
import NIOCore
import Testing

@testable import AzureClient

@Suite(.timeLimit(.minutes(1))) struct DefaultCredentialTests {
    let scope = TokenScope(rawValue: "https://management.example/.default")
    let refusal = AzureError(code: .unauthorized, operation: .fetchToken, resource: "r", message: "refused")

    /// Answers from a script and notes that it was asked.
    struct Candidate: CredentialCandidate {
        let kind: CredentialKind
        let asked: NIOLockedValueBox<[CredentialKind]>
        let script: @Sendable () throws(AzureError) -> String?

        func answer(
            _ scope: TokenScope, claims: ClaimsChallenge?, correlationID: CorrelationID
        ) async throws(AzureError) -> CredentialAnswer {
            asked.withLockedValue { $0.append(kind) }
            if let reason = try script() { return .unavailable(reason) }
            let now = ContinuousClock().now
            return .token(AccessToken(secret: Secret(kind.rawValue), expiresAt: now, refreshAt: nil))
        }
    }

    func token(_ credential: DefaultCredential) async throws(AzureError) -> String {
        try await credential.token(scope, correlationID: Sample.correlation).secret.reveal()
    }

    @Test func `the first that gives a token is used from then on`() async throws {
        let asked = NIOLockedValueBox<[CredentialKind]>([])
        let used = NIOLockedValueBox<[CredentialKind?]>([])
        let credential = DefaultCredential([
            Candidate(kind: .environment, asked: asked) { "not set" },
            Candidate(kind: .workloadIdentity, asked: asked) { "no file" },
            Candidate(kind: .managedIdentity, asked: asked) { nil }, Candidate(kind: .azureCLI, asked: asked) { nil },
        ]) { report in used.withLockedValue { $0.append(report.used) } }
        #expect(credential.report.used == nil)
        for _ in 0..<3 { #expect(try await token(credential) == CredentialKind.managedIdentity.rawValue) }
        #expect(
            asked.withLockedValue(\.self)
                == [.environment, .workloadIdentity, .managedIdentity, .managedIdentity, .managedIdentity])
        #expect(
            credential.report.lines.map(\.state)
                == [.unavailable("not set"), .unavailable("no file"), .used, .notAsked])
        #expect(used.withLockedValue(\.self) == [.managedIdentity])
    }

    @Test func `one that is refused ends the search and names those before it`() async throws {
        let asked = NIOLockedValueBox<[CredentialKind]>([])
        let refusal = refusal
        let credential = DefaultCredential([
            Candidate(kind: .environment, asked: asked) { "not set" },
            Candidate(kind: .workloadIdentity, asked: asked) { () throws(AzureError) in throw refusal },
            Candidate(kind: .azureCLI, asked: asked) { nil },
        ])
        let error = try await failure { () throws(AzureError) in try await token(credential) }
        #expect(error.code == .unauthorized)
        #expect(
            error.message
                == "WorkloadIdentityCredential: refused (passed over before it: EnvironmentCredential: not set)")
        #expect(asked.withLockedValue(\.self) == [.environment, .workloadIdentity])
        #expect(credential.report.lines.map(\.state) == [.unavailable("not set"), .failed("refused"), .notAsked])
    }

    @Test func `when none can be used the error says why for each`() async throws {
        let asked = NIOLockedValueBox<[CredentialKind]>([])
        let credential = DefaultCredential([
            Candidate(kind: .environment, asked: asked) { "not set" },
            Candidate(kind: .azureCLI, asked: asked) { "not\u{1B}[31m installed" },
        ])
        let error = try await failure { () throws(AzureError) in try await token(credential) }
        #expect(error.code == .unauthorized)
        #expect(
            error.message == "no credential can be used: EnvironmentCredential: not set; "
                + #"AzureCLICredential: not\u{1b}[31m installed"#)
        #expect(asked.withLockedValue { $0.count } == 2)
    }

    @Test func `a used credential that stops working is not replaced behind the operator's back`() async throws {
        let asked = NIOLockedValueBox<[CredentialKind]>([])
        let works = NIOLockedValueBox(true)
        let credential = DefaultCredential([
            Candidate(kind: .azureCLI, asked: asked) { works.withLockedValue(\.self) ? nil : "signed out" },
            Candidate(kind: .managedIdentity, asked: asked) { nil },
        ])
        #expect(try await token(credential) == CredentialKind.azureCLI.rawValue)
        works.withLockedValue { $0 = false }
        let error = try await failure { () throws(AzureError) in try await token(credential) }
        #expect(error.message.contains("signed out"))
        #expect(credential.report.used == .azureCLI && !asked.withLockedValue(\.self).contains(.managedIdentity))
    }

    // MARK: By environment variables

    func settings(_ environment: [String: String]) -> (CredentialSettings, [String]) {
        var faults: [String] = []
        let settings = CredentialSettings(
            environment: environment.merging(["PATH": "/nonexistent"]) { own, _ in own }, faults: &faults)
        return (settings, faults)
    }

    static let principal = ["AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": ManagedIdentityTests.id]

    /// A machine with everything: which credential's token arrives tells which was asked first.
    @Test func `the order is environment, workload identity, managed identity, CLI`() async throws {
        let transport = ScriptedTransport { request, _ in
            let body = request.body.map { String(buffer: $0) } ?? ""
            let who =
                body.contains("client_secret") ? "secret" : body.contains("client_assertion") ? "assertion" : "identity"
            return .json(200, #"{"access_token":"\#(who)","expires_in":"60"}"#)
        }
        try await TestFolder.run { folder in
            var environment = Self.principal.merging([
                "AZURE_CLIENT_SECRET": "s", "AZURE_FEDERATED_TOKEN_FILE": try folder.file("token", "x"),
                "IDENTITY_ENDPOINT": "http://localhost:1/msi", "IDENTITY_HEADER": "h",
            ]) { own, _ in own }
            for (next, removed) in [
                ("secret", "AZURE_CLIENT_SECRET"), ("assertion", "AZURE_FEDERATED_TOKEN_FILE"),
                ("identity", "IDENTITY_ENDPOINT"),
            ] {
                let (settings, faults) = settings(environment)
                let credential = settings.credential(authority: ServiceURL(httpsHost: "a"), sending: transport)
                #expect(faults.isEmpty && credential.report.lines.map(\.kind) == CredentialKind.allCases)
                #expect(try await token(credential) == next)
                environment[removed] = nil
            }
        }
    }

    @Test func `with nothing set each credential says what it lacks`() async throws {
        let transport = ScriptedTransport { _, _ throws(AzureError) in
            throw AzureError(code: .timedOut, operation: .fetchToken, resource: "r", message: "no answer in time")
        }
        let (settings, faults) = settings([:])
        #expect(faults.isEmpty)
        let credential = settings.credential(authority: ServiceURL(httpsHost: "a"), sending: transport)
        let error = try await failure { () throws(AzureError) in try await token(credential) }
        for part in [
            "EnvironmentCredential: AZURE_TENANT_ID and AZURE_CLIENT_ID are not set",
            "WorkloadIdentityCredential: AZURE_FEDERATED_TOKEN_FILE and AZURE_TENANT_ID and AZURE_CLIENT_ID are not set",
            "ManagedIdentityCredential: no identity service answers",
            "AzureCLICredential: the Azure CLI is not installed",
        ] {
            #expect(error.message.contains(part), "\(error.message)")
        }
    }

    @Test(arguments: [
        ("prod", [CredentialKind.environment, .workloadIdentity, .managedIdentity]), ("DEV", [.azureCLI]),
        ("AzureCliCredential", [.azureCLI]), ("workloadidentitycredential", [.workloadIdentity]),
        ("ManagedIdentityCredential", [.managedIdentity]), ("", CredentialKind.allCases),
    ]) func `AZURE_TOKEN_CREDENTIALS chooses, in any case`(_ text: String, _ kinds: [CredentialKind]) throws {
        let (settings, faults) = settings(["AZURE_TOKEN_CREDENTIALS": text])
        #expect(faults.isEmpty && settings.kinds == kinds)
        let transport = ScriptedTransport { _, _ in .json(500, "") }
        let report = settings.credential(authority: ServiceURL(httpsHost: "a"), sending: transport).report
        #expect(report.lines.map(\.kind) == CredentialKind.allCases)
        for line in report.lines where !kinds.contains(line.kind) {
            #expect(line.state == .excluded("AZURE_TOKEN_CREDENTIALS is \(text)"))
        }
    }

    @Test(arguments: [
        ["AZURE_TOKEN_CREDENTIALS": "AzurePowerShellCredential"], ["AZURE_TOKEN_CREDENTIALS": "prod,dev"],
        ["AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential"],
        ["AZURE_TOKEN_CREDENTIALS": "environmentcredential", "AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c"],
        ["IDENTITY_ENDPOINT": "localhost:1"], ["AZURE_POD_IDENTITY_AUTHORITY_HOST": "x"],
        ["SKLS_MANAGED_IDENTITY": "my-identity"],
        ["AZURE_CLIENT_CERTIFICATE_PATH": "/x.pem", "AZURE_CLIENT_CERTIFICATE_PASSWORD": "canary"],
    ]) func `a choice that cannot be is a fault`(_ environment: [String: String]) {
        let faults = settings(environment).1
        #expect(faults.count == 1 && !faults[0].contains("canary"))
    }

    @Test func `identity endpoints of another kind are named and passed over`() async throws {
        for (environment, name) in [
            (["IDENTITY_ENDPOINT": "http://localhost:1", "IMDS_ENDPOINT": "http://localhost:2"], "Azure Arc"),
            (["MSI_ENDPOINT": "http://localhost:1"], "Cloud Shell"),
            (
                ["IDENTITY_SERVER_THUMBPRINT": "x", "IDENTITY_ENDPOINT": "https://a", "IDENTITY_HEADER": "h"],
                "Service Fabric"
            ),
        ] {
            let transport = ScriptedTransport { _, _ in .json(500, "") }
            let (settings, _) = settings(environment)
            let credential = settings.credential(authority: ServiceURL(httpsHost: "a"), sending: transport)
            let error = try await failure { () throws(AzureError) in try await token(credential) }
            #expect(error.message.contains(name) && transport.requests.isEmpty)
        }
    }

    @Test func `a certificate is taken where there is no secret`() async throws {
        let application = try TestCertificates.application.get()
        let transport = ScriptedTransport { _, _ in .json(200, #"{"access_token":"abc","expires_in":"60"}"#) }
        try await TestFolder.run { folder in
            let file = try folder.file("x.pem", application.certificatePEM + "\n" + application.key.pemRepresentation)
            let (settings, faults) = settings(
                Self.principal.merging(["AZURE_CLIENT_CERTIFICATE_PATH": file]) { own, _ in own })
            let credential = settings.credential(authority: ServiceURL(httpsHost: "a"), sending: transport)
            #expect(try await token(credential) == "abc" && faults.isEmpty)
            #expect(transport.requests.first?.body.map { String(buffer: $0).contains("client_assertion=") } == true)
        }
    }

    @Test func `a token tells an operator who it is for, and nothing if it is no JSON Web Token`() throws {
        let payload = Base64.urlEncoded(
            #"{"tid":"t","oid":"o\u001b","appid":"a","aud":"https://x","exp":1000,"extra":"canary"}"#.utf8)
        func facts(_ text: String) -> TokenFacts? {
            TokenFacts(AccessToken(secret: Secret(text), expiresAt: ContinuousClock().now, refreshAt: nil))
        }
        let found = try #require(facts("e30.\(payload).c2ln"))
        #expect(found.tenantID == "t" && found.objectID == #"o\u{1b}"# && found.applicationID == "a")
        #expect(found.audience == "https://x" && found.expiry == 1000 && !"\(found)".contains("canary"))
        for text in ["", "abc", "a.b", "a.!.c", "e30.W10.c", "e30.e30.e30.e30"] { #expect(facts(text) == nil) }
    }
}
