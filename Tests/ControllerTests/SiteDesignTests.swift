import AzureClient
import DesiredState
import Testing

@testable import Controller

/// What is ours of a site, what is carried over, and what the hash covers.
struct SiteDesignTests {
    private func record(_ change: (inout FunctionApp) -> Void = { _ in }) throws -> FunctionApp {
        var record = try makeRecord()
        record.spec.azure = DesiredState.AzureSettings(appSettings: ["A": "1", "B": "2"], tags: ["team": "blue"])
        change(&record)
        return record
    }

    private func ground() throws -> Ground { .elasticPremium(try SiteSample.id(SiteSample.planID)) }

    private func values(_ request: SiteRequest) -> [String: String] {
        Dictionary(request.appSettings.map { ($0.name, $0.value.reveal()) }, uniquingKeysWith: { $1 })
    }

    @Test func `what the platform and people have set is carried over, and what we once set and dropped is not`() throws
    {
        let designer = SiteSample.designer()
        var details = try SiteSample.details(of: designer.design(of: record()), on: ground())
        let added = [
            "MACHINEKEY_DecryptionKey": "k", "DOCKER_CUSTOM_IMAGE_NAME": "alpine", "AzureWebJobsDashboard": "d",
            "MINE": "m",
        ]
        for (name, value) in added { details.appSettings[name] = Secret(value) }
        details.site.tags["hidden-link: /app-insights"] = "x"
        details.site.tags["costcentre"] = "7"
        let changed = try record {
            $0.spec.azure = DesiredState.AzureSettings(appSettings: ["A": "3"], tags: ["Team": "red"])
        }
        let request = try designer.design(of: changed).request(on: ground(), replacing: details)
        let settings = values(request)
        for (name, value) in added { #expect(settings[name] == value) }
        #expect(settings["A"] == "3" && settings["B"] == nil)
        #expect(settings[SiteSetting.owned]?.split(separator: ",").contains("A") == true)
        #expect(request.tags["hidden-link: /app-insights"] == "x" && request.tags["costcentre"] == "7")
        #expect(request.tags["Team"] == "red" && request.tags["team"] == nil)
        #expect(Set(request.appSettings.map { $0.name.uppercased() }).count == request.appSettings.count)
    }

    @Test func `a setting that somebody wrote in another case is ours all the same`() throws {
        let designer = SiteSample.designer()
        var details = try SiteSample.details(of: designer.design(of: record()), on: ground())
        details.appSettings["a"] = Secret("theirs")
        let request = try designer.design(of: record()).request(on: ground(), replacing: details)
        #expect(values(request)["A"] == "1" && values(request)["a"] == nil)
    }

    @Test func `identities that others assigned are kept beside ours`() throws {
        let designer = SiteSample.designer { $0.identity = SiteSample.identity }
        var details = try SiteSample.details(of: designer.design(of: record()), on: ground())
        let theirs = try SiteSample.id(
            SiteSample.group + "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/x")
        details.site.identities = ManagedIdentities(hasSystemAssigned: true, userAssigned: [theirs: "c"])
        let request = try designer.design(of: record()).request(on: ground(), replacing: details)
        let identities = try #require(request.identities)
        #expect(identities.hasSystemAssigned && identities.userAssigned.keys.contains(theirs))
        #expect(identities.userAssigned.keys.contains(try SiteSample.id(SiteSample.identity.resourceID)))
        let plain = try SiteSample.designer().design(of: record()).request(on: ground(), replacing: nil)
        #expect(plain.identities == nil)
    }

    @Test func `leftover registry passwords go where the identity pulls, and stay where it does not`() throws {
        let pulling = SiteSample.designer { $0.identity = SiteSample.identity }
        let image = try ImageReference(parsing: "reg.azurecr.io/x:1")
        let hidden = try record { $0.spec.image = image }
        for (record, isKept) in [(hidden, false), (try record(), true)] {
            var details = try SiteSample.details(of: pulling.design(of: record), on: ground())
            details.appSettings["DOCKER_REGISTRY_SERVER_PASSWORD"] = Secret("old")
            let request = try pulling.design(of: record).request(on: ground(), replacing: details)
            #expect((values(request)["DOCKER_REGISTRY_SERVER_PASSWORD"] != nil) == isKept)
            #expect((request.registryIdentity == nil) == isKept)
        }
    }

    @Test func `too many or too long tags are refused before Azure sees them`() throws {
        let design = try SiteSample.designer().design(of: record())
        var details = try SiteSample.details(of: design, on: ground())
        for number in 0..<44 { details.site.tags["hidden-\(number)"] = "x" }
        #expect(throws: DesignFault.self) { try design.request(on: ground(), replacing: details) }
        details.site.tags["hidden-0"] = nil
        details.site.tags["hidden-1"] = nil
        #expect(throws: Never.self) { try design.request(on: ground(), replacing: details) }
        details.site.tags["hidden-2"] = String(repeating: "x", count: 257)
        let premium = try self.ground()
        do throws(DesignFault) {
            _ = try design.request(on: premium, replacing: details)
            Issue.record("a value of 257 characters was taken")
        } catch {
            #expect(error.reason == "TagTooLong")
        }
    }

    @Test func `the hash covers what the site is made from and not the runs`() throws {
        func hash(
            _ change: (inout FunctionApp) -> Void = { _ in },
            _ configuration: (inout SiteDesigner.Configuration) -> Void = { _ in }
        ) throws -> String {
            SiteSample.designer(configuration).identity(of: try record(change)).designHash
        }
        let base = try hash()
        #expect(try hash({ $0.spec.invocations = 9 }) == base)
        #expect(try hash({ $0.spec.args = ["false"] }) == base)
        #expect(try hash({ $0.spec.env = [EnvironmentVariable(name: "X", value: "y")] }) == base)
        #expect(try hash({ _ in }, { $0.location = "West Europe" }) == base)
        let busybox = try ImageReference(parsing: "busybox")
        let others = [
            try hash({ $0.spec.image = busybox }),
            try hash({ $0.spec.azure.appSettings["A"] = "9" }), try hash({ $0.spec.azure.tags["team"] = "red" }),
            try hash({ $0.spec.hosting.plan = "other" }), try hash({ $0.spec.hosting.managedEnvironment = "e" }),
            try hash({ _ in }, { $0.identity = SiteSample.identity }),
            try hash({ _ in }, { $0.storage = .connectionString(Secret("c")) }),
            try hash({ _ in }, { $0.applicationInsights = Secret("i") }), try hash({ _ in }, { $0.defaultPlan = nil }),
        ]
        #expect(Set(others + [base]).count == others.count + 1)
    }

    @Test func `a site is told where to call, and as whom, if agents call`() throws {
        let record = try record()
        let quiet = SiteSample.designer()
        let calling = SiteSample.designer {
            $0.callback = .init(url: "https://daemon.example/agents", authority: "PEM")
        }
        func settings(_ designer: SiteDesigner) -> [String: String] {
            Dictionary(
                designer.design(of: record).appSettings.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 })
        }
        let told = settings(calling)
        #expect(told["SOCKERLESS_CALLBACK_URL"] == "https://daemon.example/agents")
        #expect(told["SKLS_AGENT_SITE"] == record.uid.text && told["SKLS_CALLBACK_CA"] == "PEM")
        #expect(told.count == settings(quiet).count + 3)
        // A site that has to be told anew is written anew.
        #expect(quiet.identity(of: record).designHash != calling.identity(of: record).designHash)
    }

    @Test func `a site is told to copy output to its console, if that is wanted`() throws {
        let record = try record()
        let copying = SiteSample.designer { $0.copiesOutput = true }
        let name = "SKLS_AGENT_CONSOLE"
        #expect(copying.design(of: record).appSettings.first { $0.name == name }?.value == "1")
        #expect(SiteSample.designer().design(of: record).appSettings.allSatisfy { $0.name != name })
        var unkept = record
        unkept.metadata.annotations[FunctionApp.logAnnotation] = "none"
        #expect(copying.design(of: unkept).appSettings.allSatisfy { $0.name != name }, "nor what is not kept")
    }

    @Test func `a record's hosting wins over the configured one, by name or id`() throws {
        let named = try SiteSample.designer().design(of: record { $0.spec.hosting.plan = "p2" })
        #expect(named.placement == .plan(SiteSample.group + "/providers/Microsoft.Web/serverfarms/p2"))
        let environment = try SiteSample.designer().design(of: record { $0.spec.hosting.managedEnvironment = "e" })
        #expect(
            environment.placement
                == .managedEnvironment(SiteSample.group + "/providers/Microsoft.App/managedEnvironments/e"))
        #expect(try SiteSample.designer { $0.defaultPlan = nil }.design(of: record()).placement == .onlyPlan)
        #expect(environment.name.count <= 32 && environment.name.first?.isLetter == true)
        #expect(environment.name.allSatisfy { $0.isLowercase || $0.isNumber || $0 == "-" })
    }

    @Test func `a share of its own only on Elastic Premium, with a connection string, and not switched off`() throws {
        func share(_ ground: Ground, _ change: (inout SiteDesigner.Configuration) -> Void) throws -> String? {
            let design = try SiteSample.designer(change).design(of: record())
            return design.settings(on: ground).first { $0.name == "WEBSITE_CONTENTSHARE" }?.value
        }
        let id = try SiteSample.id(SiteSample.planID)
        let name = SiteDesigner.siteName(of: try record().uid)
        #expect(try share(.elasticPremium(id)) { $0.storage = .connectionString(Secret("c")) } == name)
        #expect(try share(.dedicated(id)) { $0.storage = .connectionString(Secret("c")) } == nil)
        #expect(try share(.elasticPremium(id)) { $0.storage = .account(name: "a") } == nil)
        #expect(
            try share(.elasticPremium(id)) {
                $0.storage = .connectionString(Secret("c"))
                $0.hasContentShare = false
            } == nil)
    }
}
