// What can be done with a site, and what can be read of it, beside its configuration.

extension World {
    mutating func answerSiteAction(_ path: String, of site: Site, _ call: ResourceCall, at now: Instant) -> Reply {
        switch (path, call.method) {
        case ("start", "POST"): return setState("Running", of: site, at: now)
        case ("stop", "POST"): return setState("Stopped", of: site, at: now)
        case ("restart", "POST"):
            return restart(site, isSoft: call.parameter("softRestart")?.lowercased() == "true", at: now)
        case ("containerlogs", "POST"): return containerLogs(of: site)
        case ("publishxml", "POST"): return publishProfile(of: site)
        case ("host/default/listkeys", "POST"), ("host/default/sync", "POST"), ("syncfunctiontriggers", "POST"),
            ("listsyncfunctiontriggerstatus", "POST"), ("functions/admin/token", "GET"):
            return Self.noHost
        case ("host/default/listsyncstatus", "POST"): return Reply(status: 204)
        case ("instances", "GET"): return Self.list(site.container.serving == nil ? [] : [instanceDocument(of: site)])
        case ("hostnamebindings", "GET"): return Self.list([hostNameBinding(of: site)])
        case ("sourcecontrols/web", "GET"): return .json(200, sourceControl(of: site))
        case (_, "GET") where Self.emptyLists.contains(path): return Self.list([])
        default: return call.methodNotAllowed
        }
    }

    /// Kinds of children that a site with a container can have, and that no site has here.
    private static let emptyLists: Set<String> = [
        "functions", "slots", "deployments", "privateendpointconnections", "sitecontainers", "siteextensions",
        "webjobs",
        "usages", "snapshots", "backups", "publiccertificates", "virtualnetworkconnections", "hybridconnectionrelays",
        "premieraddons", "detectors", "deploymentstatus",
    ]

    /// An image has no Functions host that could be asked. The message is the platform's as threads quote it
    /// (Azure/azure-functions-host 4568, MicrosoftDocs/azure-docs 30768); that a container without a host gives just
    /// this one is a guess.
    private static let noHost = AzureErrorBody.web(
        400, "BadRequest", extended: "01030", "Encountered an error ({0}) from host runtime.", ["ServiceUnavailable"])

    // MARK: State

    /// Stop and start answer 200 with an empty body, also when nothing changes (REST specification 2025-03-01).
    private mutating func setState(_ state: String, of site: Site, at now: Instant) -> Reply {
        if let busy = busyReply(site: site.key, planKey: site.planKey, at: now) { return busy }
        guard site.state != state else { return Reply(status: 200) }
        sites[site.key]?.state = state
        sites[site.key]?.lastModified = now
        if state == "Running" {
            sites[site.key]?.container.failures = 0
            startContainer(of: site.key, at: now)
        } else {
            stopContainers(of: site.key, page: FrontEndPage.stopped)
        }
        return Reply(status: 200)
    }

    /// A hard restart has a gap; a soft one starts the new container beside the old one.
    private mutating func restart(_ site: Site, isSoft: Bool, at now: Instant) -> Reply {
        if let busy = busyReply(site: site.key, planKey: site.planKey, at: now) { return busy }
        guard site.state == "Running" else { return Reply(status: 200) }
        let held = site.container.held
        if !isSoft {
            sites[site.key]?.container.held = []
            stopContainers(of: site.key, page: FrontEndPage.serviceUnavailable)
            // Who waited for a start waits for the next one.
            sites[site.key]?.container.held = held
        }
        sites[site.key]?.container.failures = 0
        startContainer(of: site.key, at: now)
        return Reply(status: 200)
    }

    // MARK: Reading

    private func containerLogs(of site: Site) -> Reply {
        let log = site.container.log.tail
        if log.isEmpty { return Reply(status: 204) }
        return Reply(status: 200, headers: [.init(name: "Content-Type", value: "text/plain")], body: Array(log))
    }

    private func instanceDocument(of site: Site) -> JSON {
        child(
            of: site, "instances/\(workerID)", type: "Microsoft.Web/sites/instances", name: workerID,
            [
                "name": .string(workerID), "siteInstanceName": .string(workerID), "state": "READY", "statusUrl": nil,
                "healthCheckUrl": nil,
            ])
    }

    private func hostNameBinding(of site: Site) -> JSON {
        child(
            of: site, "hostNameBindings/\(site.hostName)", type: "Microsoft.Web/sites/hostNameBindings",
            name: "\(site.name)/\(site.hostName)",
            [
                "siteName": .string(site.name), "domainId": nil, "hostNameType": "Verified",
                "azureResourceName": nil, "azureResourceType": nil, "customHostNameDnsRecordType": nil,
                "sslState": nil, "thumbprint": nil,
            ])
    }

    private func sourceControl(of site: Site) -> JSON {
        child(
            of: site, "sourcecontrols/web", type: "Microsoft.Web/sites/sourcecontrols", name: site.name,
            [
                "repoUrl": .text(site.scmHostName.map { "https://\($0)" }), "branch": nil, "isManualIntegration": false,
                "isGitHubAction": false, "deploymentRollbackEnabled": false, "isMercurial": false,
                "provisioningState": "Succeeded", "gitHubActionConfiguration": nil,
            ])
    }

    /// The envelope of what belongs to a site.
    func child(of site: Site, _ path: String, type: String, name: String, _ properties: JSON) -> JSON {
        [
            "id": .string("\(id(of: site))/\(path)"), "name": .string(name), "type": .string(type),
            "location": .string(settings.displayLocation), "properties": properties,
        ]
    }

    /// The publish profile, with the credentials in it (shape of recorded replies; azure-cli reads the FTP address from
    /// it for `functionapp show`, read 2026-11).
    private func publishProfile(of site: Site) -> Reply {
        guard let scm = site.scmHostName else {
            return AzureErrorBody.web(
                400, "BadRequest", extended: "51021", "The parameter {0} has an invalid value.", ["Format"])
        }
        let common =
            "destinationAppUrl=\"https://\(site.hostName)\" SQLServerDBConnectionString=\"\" "
            + "mySQLDBConnectionString=\"\" hostingProviderForumLink=\"\" "
            + "controlPanelLink=\"https://portal.azure.com\" webSystem=\"WebSites\""
        let user = "userName=\"$\(site.name)\" userPWD=\"\(site.publishingPassword)\""
        func profile(_ kind: String, _ method: String, _ rest: String) -> String {
            "<publishProfile profileName=\"\(site.name) - \(kind)\" publishMethod=\"\(method)\" \(rest) \(common)>"
                + "<databases /></publishProfile>"
        }
        let text =
            "<publishData>"
            + profile(
                "Web Deploy", "MSDeploy", "publishUrl=\"\(scm):443\" msdeploySite=\"\(site.name)\" \(user)")
            + profile(
                "FTP", "FTP",
                "publishUrl=\"ftps://waws-prod-simulator.ftp.azurewebsites.windows.net/site/wwwroot\" ftpPassiveMode=\"True\" "
                    + "userName=\"\(site.name)\\$\(site.name)\" userPWD=\"\(site.publishingPassword)\"")
            + profile("Zip Deploy", "ZipDeploy", "publishUrl=\"\(scm):443\" \(user)")
            + "</publishData>"
        return .text(200, text, type: "application/xml")
    }
}
