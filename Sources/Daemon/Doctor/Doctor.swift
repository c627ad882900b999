import AzureClient
import Foundation
package import Logging

/// Asks Azure, reading only, everything that has to be right before the daemon can work, and says what to do about
/// what is not.
package struct Doctor: Sendable {
    /// Entra and Azure Resource Manager tolerate about five minutes between clocks (Microsoft identity platform docs,
    /// "Access tokens", read 2026-11).
    static let mostSkewSeconds: Int64 = 240

    private let loaded: LoadedSettings
    private let logger: Logger

    /// - Parameter settings: those that the daemon would have.
    package init(settings: LoadedSettings, logger: Logger) {
        loaded = settings
        self.logger = logger
    }

    package func report() async throws -> DoctorReport {
        var report = DoctorReport()
        let settings: AzureSettings
        let planID: ResourceID?
        do throws(ConfigurationFaults) {
            if !loaded.faults.isEmpty { throw ConfigurationFaults(faults: loaded.faults) }
            settings = try AzureSettings(environment: loaded.variables)
            planID = try settings.planID
        } catch {
            for fault in loaded.located(error.faults) {
                report.failed("configuration", fault, advice: "correct the setting, then run this again")
            }
            for hint in error.hints { report.note("configuration", hint) }
            return report
        }
        let clients = HTTPClients(settings.http)
        do {
            try await examine(settings, planID, clients, &report)
            try await clients.shutdown()
        } catch {
            // The first error is the one worth telling; the clients only have to be shut down.
            try? await clients.shutdown()
            throw error
        }
        return report
    }

    private func examine(
        _ settings: AzureSettings, _ planID: ResourceID?, _ clients: HTTPClients, _ report: inout DoctorReport
    ) async throws {
        let connection: AzureConnection
        do {
            connection = try await AzureConnection(settings, clients: clients, logger: logger)
        } catch let error as AzureError {
            report.failed("cloud", found(error), advice: "check SKLS_CLOUD and the addresses set beside it")
            return
        }
        let cloud = connection.environment
        report.ok("cloud", cloud.name)
        report.ok("resource manager", "\(cloud.resourceManager), tokens for \(cloud.audience)")
        report.ok("sign-in", cloud.authority.description)
        report.note("log queries", "\(cloud.logAnalytics), tokens for \(cloud.logAnalyticsAudience)")
        let clockIsRight = await checkClock(cloud, connection, &report)
        if await checkToken(connection, clockIsRight: clockIsRight, &report) {
            await checkResources(settings, planID, connection, &report)
            await checkLogs(settings, connection, &report)
        } else {
            for name in ["subscription", "resource group", "plan", "log workspace"] {
                report.skipped(name, "there is no token")
            }
        }
        await checkRegistry(settings, connection, &report)
    }

    var correlation: CorrelationID { CorrelationID(AzureTransport.randomID()) }

    private func checkClock(
        _ cloud: AzureEnvironment, _ connection: AzureConnection, _ report: inout DoctorReport
    ) async -> Bool {
        do throws(AzureError) {
            let ahead = try await ServerClock.secondsAhead(
                cloud.resourceManager, transport: connection.transport, correlationID: correlation)
            guard let ahead else {
                report.note("clock", "the resource manager does not tell its time")
                return true
            }
            let text = "\(abs(ahead)) s \(ahead < 0 ? "ahead of" : "behind") Azure's"
            guard abs(ahead) <= Self.mostSkewSeconds else {
                report.failed(
                    "clock", text, advice: "set this machine's clock; tokens are refused as not yet or no longer valid")
                return false
            }
            report.ok("clock", abs(ahead) <= 2 ? "as Azure's" : text)
        } catch {
            report.failed(
                "clock", "the resource manager does not answer: \(found(error))",
                advice: "check the network, HTTPS_PROXY and NO_PROXY, and SKLS_CA_FILE behind a private authority")
        }
        return true
    }

    private func checkToken(
        _ connection: AzureConnection, clockIsRight: Bool, _ report: inout DoctorReport
    ) async -> Bool {
        let token: AccessToken?
        var failure: AzureError?
        do throws(AzureError) {
            token = try await connection.credential.token(connection.environment.scope, correlationID: correlation)
        } catch {
            (token, failure) = (nil, error)
        }
        var isRefused = false
        for line in connection.credential.report.lines {
            let name = "credential \(line.kind.rawValue)"
            switch line.state {
            case .used: report.ok(name, "used")
            case .unavailable(let reason): report.note(name, "not used: \(reason)")
            case .failed(let reason):
                isRefused = true
                report.failed(name, reason, advice: DoctorAdvice.refusedCredential(failure))
            case .notAsked: report.note(name, "not asked: one before it decides")
            case .excluded(let reason): report.note(name, "left out: \(reason)")
            }
        }
        guard let token else {
            if isRefused {
                report.skipped("token", "the credential that decides gives none")
            } else {
                report.failed("token", "no credential can be used", advice: DoctorAdvice.noToken)
            }
            return false
        }
        report.ok("token", describe(token))
        return true
    }

    /// What went wrong, without what was asked: the check's name says that.
    func found(_ error: AzureError) -> String {
        let facts = [error.code.rawValue, error.status.map { "HTTP \($0)" }, error.serviceCode, error.innerCode]
        let request = error.requestID.map { " [request \($0)]" } ?? ""
        return "\(facts.compactMap(\.self).joined(separator: ", ")): \(error.message)\(request)"
    }

    private func describe(_ token: AccessToken) -> String {
        let minutes = (token.expiresAt - ContinuousClock().now).components.seconds / 60
        let end = "valid for \(minutes) min"
        guard let facts = TokenFacts(token) else { return "opaque, \(end)" }
        let parts = [
            facts.tenantID.map { "tenant \($0)" }, facts.objectID.map { "object \($0)" },
            facts.applicationID.map { "application \($0)" }, facts.audience.map { "for \($0)" },
        ]
        let expiry = facts.expiry.map { "until \(Date(timeIntervalSince1970: Double($0)).formatted(.iso8601))" }
        return (parts + [expiry, end]).compactMap(\.self).joined(separator: ", ")
    }

    private func checkRegistry(
        _ settings: AzureSettings, _ connection: AzureConnection, _ report: inout DoctorReport
    ) async {
        guard let address = settings.registry else {
            report.note("registry", "SKLS_REGISTRY is not set: docker pull does not look images up")
            return
        }
        do throws(AzureError) {
            let registry = RegistryClient(endpoint: try ServiceURL(address), transport: connection.transport)
            if try await registry.isRegistry(correlationID: correlation) {
                report.ok("registry", address)
            } else {
                report.failed("registry", "\(address) is no container registry", advice: "correct SKLS_REGISTRY")
            }
        } catch {
            report.failed("registry", found(error), advice: "correct SKLS_REGISTRY, or unset it")
        }
    }
}
