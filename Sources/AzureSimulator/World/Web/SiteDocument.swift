/// A configuration of a site that is kept as it was sent: how it is read, and what it is before anybody sets it
/// (REST specification 2025-03-01; defaults as in recorded replies of Azure/azure-cli, read 2026-11).
struct SiteDocument: Sendable {
    /// Below the site, in lower case.
    var path: String
    /// As Azure spells it in ids.
    var spelling: String
    /// Read by `POST …/list`, because secrets stand in it, and not by GET.
    var isSecret: Bool
    var initial: JSON

    static let all: [SiteDocument] = [
        SiteDocument(path: "connectionstrings", spelling: "connectionstrings", isSecret: true, initial: [:]),
        SiteDocument(path: "azurestorageaccounts", spelling: "azurestorageaccounts", isSecret: true, initial: [:]),
        SiteDocument(path: "metadata", spelling: "metadata", isSecret: true, initial: [:]),
        SiteDocument(
            path: "authsettings", spelling: "authsettings", isSecret: true,
            initial: ["enabled": false, "isAuthFromFile": "False", "configVersion": "v1"]),
        SiteDocument(
            path: "pushsettings", spelling: "pushsettings", isSecret: true, initial: ["isPushEnabled": false]),
        SiteDocument(
            path: "slotconfignames", spelling: "slotConfigNames", isSecret: false,
            initial: ["connectionStringNames": nil, "appSettingNames": nil, "azureStorageConfigNames": nil]),
        SiteDocument(
            path: "authsettingsv2", spelling: "authsettingsV2", isSecret: false,
            initial: ["platform": ["enabled": false, "runtimeVersion": "~1"], "globalValidation": [:]]),
        SiteDocument(
            path: "logs", spelling: "logs", isSecret: false,
            initial: [
                "applicationLogs": [
                    "fileSystem": ["level": "Off"], "azureTableStorage": ["level": "Off", "sasUrl": nil],
                    "azureBlobStorage": ["level": "Off", "sasUrl": nil, "retentionInDays": nil],
                ],
                "httpLogs": [
                    "fileSystem": ["retentionInMb": 35, "retentionInDays": nil, "enabled": false],
                    "azureBlobStorage": ["sasUrl": nil, "retentionInDays": nil, "enabled": false],
                ],
                "failedRequestsTracing": ["enabled": false], "detailedErrorMessages": ["enabled": false],
            ]),
    ]

    /// Basic authentication of Kudu and of FTP: allowed unless somebody forbade it.
    static let policies = ["scm", "ftp"].map {
        SiteDocument(path: "policy-\($0)", spelling: $0, isSecret: false, initial: ["allow": true])
    }

    func value(in site: Site) -> JSON { site.documents[path] ?? initial }
}
