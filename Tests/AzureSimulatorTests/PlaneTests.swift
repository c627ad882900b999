import Testing

@testable import AzureSimulator

@Suite struct PlaneTests {
    @Test(arguments: [
        ("management.azure.com", "/v2/x", Plane.resourceManager), ("login.microsoftonline.com", "/t/anything", .login),
        ("api.loganalytics.io", "/v1/workspaces/w/query", .logs), ("api.loganalytics.azure.com", "/", .logs),
        ("169.254.169.254", "/metadata/identity/oauth2/token", .metadata),
        ("acc.file.core.windows.net", "/s", .storage),
        ("eastus-8.in.applicationinsights.azure.com", "/v2.1/track", .ingestion),
        ("a1.azurewebsites.net", "/subscriptions/s", .site), ("a1.scm.azurewebsites.net", "/", .site),
    ])
    func `a host of Azure's says which part is asked, whatever the path`(host: String, path: String, plane: Plane) {
        #expect(Plane(host: host, path: path) == plane)
    }

    @Test(arguments: [
        ("/subscriptions/s", Plane.resourceManager), ("/SUBSCRIPTIONS/s/oauth2", .resourceManager),
        ("/", .resourceManager),
        ("/providers/Microsoft.ResourceGraph/resources", .resourceManager), ("/tenants", .resourceManager),
        ("/metadata/endpoints", .resourceManager), ("/metadata/identity/oauth2/token", .metadata),
        ("/msi/token", .metadata), ("/v2/", .registry), ("/v2/library/alpine/manifests/1", .registry),
        ("/v2/track", .ingestion), ("/v2.1/track", .ingestion), ("/v1/workspaces/w/query", .logs),
        ("/t/oauth2/v2.0/token", .login), ("/t/oauth2/token", .login),
        ("/t/v2.0/.well-known/openid-configuration", .login),
        ("/common/discovery/instance", .login), ("/common/UserRealm/u@x", .login), ("/t/discovery/v2.0/keys", .login),
    ])
    func `on loopback the path does`(path: String, plane: Plane) {
        for host in ["", "localhost", "127.0.0.1", "127.9.9.9", "::1"] {
            #expect(Plane(host: host, path: path) == plane)
        }
    }
}
