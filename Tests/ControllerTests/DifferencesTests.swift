import AzureClient
import DesiredState
import Testing

@testable import Controller

/// What somebody changed from outside is seen, and what is none of ours is not.
struct DifferencesTests {
    private struct Scene {
        var design: SiteDesign
        var ground: Ground
        var details: SiteDetails

        var fields: [String] { design.differences(on: ground, from: details).map(\.field) }
    }

    private func scene(
        image: String = "reg.azurecr.io/job:1", onContainerApps: Bool = false, isDedicated: Bool = false
    ) throws -> Scene {
        var record = try makeRecord(image: image)
        record.spec.azure = DesiredState.AzureSettings(appSettings: ["A": "canary"], tags: ["team": "blue"])
        let design = SiteSample.designer {
            $0.identity = SiteSample.identity
            $0.storage = .account(name: "state")
        }.design(of: record)
        let ground: Ground =
            onContainerApps
            ? .containerApps(try SiteSample.id(SiteSample.environmentID))
            : isDedicated
                ? .dedicated(try SiteSample.id(SiteSample.planID))
                : .elasticPremium(try SiteSample.id(SiteSample.planID))
        return Scene(design: design, ground: ground, details: try SiteSample.details(of: design, on: ground))
    }

    private func config(_ scene: inout Scene, _ name: String, _ value: JSONValue?) {
        var config = scene.details.config.object ?? [:]
        config[name] = value
        scene.details.config = .object(config)
    }

    @Test func `a site as it was written does not differ, whatever the hosting`() throws {
        #expect(try scene().fields == [])
        #expect(try scene(onContainerApps: true).fields == [])
        #expect(try scene(isDedicated: true).fields == [])
        #expect(try scene(image: "alpine").fields == [])
    }

    @Test func `settings and tags that the platform and az add are not ours`() throws {
        var scene = try scene(image: "alpine")
        for name in [
            "WEBSITE_CONTENTSHARE", "DOCKER_REGISTRY_SERVER_URL", "DOCKER_CUSTOM_IMAGE_NAME", "FUNCTION_APP_EDIT_MODE",
            "MACHINEKEY_DecryptionKey", "APPINSIGHTS_INSTRUMENTATIONKEY", "AzureWebJobsDashboard",
            "WEBSITE_HTTPLOGGING_RETENTION_DAYS", "WEBSITE_ENABLE_SYNC_UPDATE_SITE",
        ] { scene.details.appSettings[name] = Secret("x") }
        scene.details.site.tags["hidden-link: /app-insights-instrumentation-key"] = "x"
        scene.details.mounts["theirs"] = SiteMount(accountName: "a", shareName: "s", mountPath: "/m")
        #expect(scene.fields == [])
    }

    @Test func `an image that one update wiped or another one replaced is seen`() throws {
        var scene = try scene()
        config(&scene, "linuxFxVersion", .string(""))
        #expect(scene.fields == ["siteConfig.linuxFxVersion"])
        config(&scene, "linuxFxVersion", .string("DOCKER|busybox"))
        let difference = try #require(scene.design.differences(on: scene.ground, from: scene.details).first)
        #expect(
            difference.desired == "reg.azurecr.io/job:1" && difference.observed == "docker.io/library/busybox:latest")
    }

    @Test(arguments: [
        "DOCKER|alpine", "Docker|docker.io/library/alpine:latest", "docker|index.docker.io/library/alpine:latest",
        "DOCKER|https://index.docker.io/library/alpine", "DOCKER|alpine:latest/",
    ])
    func `one image in all the spellings of Azure's tools is one image`(_ text: String) throws {
        var scene = try scene(image: "alpine")
        config(&scene, "linuxFxVersion", .string(text))
        #expect(scene.fields == [])
    }

    @Test func `ports, digests and tags are told apart`() {
        let digest = "sha256:" + String(repeating: "a", count: 64)
        #expect(ImageText.canonical(fxVersion: "DOCKER|host:5000/x") == "host:5000/x:latest")
        #expect(ImageText.canonical(fxVersion: "DOCKER|repo@\(digest)") == "docker.io/library/repo@\(digest)")
        #expect(ImageText.canonical(fxVersion: "DOCKER|a:1") != ImageText.canonical(fxVersion: "DOCKER|a:2"))
        #expect(ImageText.canonical(fxVersion: "PYTHON|3.11") == "python|3.11")
    }

    @Test func `an owned setting that is changed, flipped or removed is seen, and no value is told`() throws {
        var scene = try scene()
        scene.details.appSettings["A"] = Secret("canary2")
        scene.details.appSettings["WEBSITES_ENABLE_APP_SERVICE_STORAGE"] = Secret("true")
        scene.details.appSettings["WEBSITES_PORT"] = nil
        #expect(
            scene.fields == [
                "appSettings.A", "appSettings.WEBSITES_ENABLE_APP_SERVICE_STORAGE", "appSettings.WEBSITES_PORT",
            ])
        #expect(!"\(scene.design.differences(on: scene.ground, from: scene.details))".contains("canary"))
    }

    @Test func `a setting that is no longer declared and a password beside an identity should not be there`() throws {
        var scene = try scene()
        let owned = try #require(scene.details.appSettings[SiteSetting.owned]).reveal()
        scene.details.appSettings[SiteSetting.owned] = Secret(owned + ",OLD")
        scene.details.appSettings["OLD"] = Secret("x")
        scene.details.appSettings["DOCKER_REGISTRY_SERVER_PASSWORD"] = Secret("x")
        #expect(
            scene.fields == [
                "appSettings.\(SiteSetting.owned)", "appSettings.OLD", "appSettings.DOCKER_REGISTRY_SERVER_PASSWORD",
            ])
    }

    @Test func `identity, scale limits, hosting, tags and kind are seen`() throws {
        var scene = try scene()
        scene.details.site.identities = ManagedIdentities(hasSystemAssigned: true)
        config(&scene, "acrUserManagedIdentityID", nil)
        config(&scene, "functionAppScaleLimit", .integer(200))
        config(&scene, "webSocketsEnabled", .bool(false))
        scene.details.site.serverFarmID = try SiteSample.id(SiteSample.planID + "2")
        scene.details.site.tags["team"] = "red"
        scene.details.site.kind = "app,linux"
        #expect(
            scene.fields == [
                "kind", "serverFarmId", "siteConfig.webSocketsEnabled", "siteConfig.functionAppScaleLimit", "identity",
                "siteConfig.acrUserManagedIdentityID", "tags.team",
            ])
    }

    @Test func `kinds that mean the same and tags in another case do not differ`() throws {
        var scene = try scene()
        scene.details.site.kind = "Linux, functionapp,container"
        scene.details.site.tags["TEAM"] = scene.details.site.tags.removeValue(forKey: "team")
        scene.details.site.tags[SiteTag.writer] = "somebody:1"
        #expect(scene.fields == [])
    }

    @Test func `what Azure does not tell is not taken for a difference`() throws {
        var scene = try scene()
        for name in ["functionAppScaleLimit", "webSocketsEnabled"] { config(&scene, name, .null) }
        config(&scene, "minimumElasticInstanceCount", nil)
        scene.details.site.properties = .object([:])
        scene.details.site.kind = nil
        #expect(scene.fields == [])
    }

    @Test func `an owned mount that is gone or leads elsewhere is seen`() throws {
        var scene = try scene()
        let mount = SiteMount(accountName: "a", shareName: "s", mountPath: "/m", accessKey: Secret("canary"))
        scene.design.mounts = ["data": mount]
        #expect(scene.fields == ["mounts.data"])
        scene.details.mounts["data"] = SiteMount(
            accountName: "a", shareName: "s", mountPath: "/m", others: ["state": .string("Ok")])
        #expect(scene.fields == [])
        scene.details.mounts["data"]?.mountPath = "/other"
        #expect(scene.fields == ["mounts.data"])
    }
}
