// The life of a site's container on an Elastic Premium plan (Azure docs, configure-custom-container and
// reference-app-settings, read 2026-02). The wording of the log is that of container logs quoted in Azure's
// troubleshooting pages and in its forums.

extension World {
    /// Starts a container for the site's present image and settings. A container that serves goes on until the new one
    /// is ready: a changed site has no gap.
    mutating func startContainer(of key: SiteKey, at now: Instant) {
        guard let site = sites[key], site.state == "Running", !site.isDeleted, !isShuttingDown else { return }
        if let starting = site.container.starting {
            stop(starting.instance, grace: .zero)
            sites[key]?.container.starting = nil
        }
        sites[key]?.container.retryAt = nil
        guard let image = site.image else { return }
        // Consumption takes containers and never starts them (MicrosoftDocs/azure-docs 63657 and 81696).
        if plan(of: site)?.sku.isConsumption == true { return }
        log(key, "INFO ", "Pulling image: \(image)", at: now)
        let mounts: [ContainerMount]
        do throws(MountRefusal) { mounts = try self.mounts(of: site) } catch {
            log(key, "ERROR", "Failed to mount Azure Storage: \(error.message)", at: now)
            startFailed(key, at: now)
            return
        }
        guard let base = baseRoot(of: image) else {
            log(
                key, "ERROR",
                "Pull image failed: DockerApiException: Docker API responded with status code=NotFound, "
                    + "response={\"message\":\"manifest for \(image) not found: manifest unknown: 404\"}", at: now)
            log(
                key, "ERROR",
                "Image pull failed: Verify docker image configuration and credentials (if using private repository)",
                at: now)
            startFailed(key, at: now)
            return
        }
        launch(site, base: base, mounts: mounts, at: now)
    }

    private mutating func launch(_ site: Site, base: String, mounts: [ContainerMount], at now: Instant) {
        let instance = InstanceID(text: random.hex(64))
        let limit = site.seconds("WEBSITES_CONTAINER_START_TIME_LIMIT", within: 10...1_800) ?? WorldSettings.startLimit
        instances[instance] = Instance(site: site.key, siteName: site.name)
        sites[site.key]?.container.starts += 1
        sites[site.key]?.container.starting = .init(instance: instance, deadline: now + limit)
        let name = containerName(of: instance, site: site)
        log(site.key, "INFO ", "Starting container for site", at: now)
        log(site.key, "INFO ", "Initiating warmup request to container \(name) for site \(site.name)", at: now)
        let launch = ContainerLaunch(
            instance: instance, site: site.name, image: base, environment: environment(of: site),
            warmUpPath: site.setting("WEBSITE_WARMUP_PATH") ?? "/robots933456.txt", hostName: site.hostName,
            mounts: mounts)
        effects.append(.start(launch))
        effects.append(.wake(site.key, at: now + limit))
    }

    /// App settings under their own name and with the prefix `APPSETTING_`, then the platform's variables. Registry
    /// credentials and `WEBSITES_PORT` stay outside (Azure docs, reference-app-settings, read 2026-02).
    private mutating func environment(of site: Site) -> [AppSetting] {
        var variables: [AppSetting] = []
        for setting in site.appSettings {
            if setting.name.hasPrefix("DOCKER_REGISTRY_SERVER_") || setting.name == "WEBSITES_PORT" { continue }
            variables.append(setting)
            variables.append(AppSetting(name: "APPSETTING_\(setting.name)", value: setting.value))
        }
        let platform = [
            ("WEBSITE_SITE_NAME", site.name), ("WEBSITE_HOSTNAME", site.hostName),
            ("WEBSITE_RESOURCE_GROUP", site.group),
            ("WEBSITE_OWNER_NAME", "\(settings.subscriptionID)+\(webSpace(of: site.group))"),
            ("WEBSITE_INSTANCE_ID", workerID), ("REGION_NAME", settings.displayLocation), ("HOME", "/home"),
            ("PORT", site.setting("WEBSITES_PORT") ?? "80"),
            ("IDENTITY_ENDPOINT", "http://localhost:8081/msi/token"), ("IDENTITY_HEADER", random.guid()),
        ]
        for (name, value) in platform {
            variables.removeAll { $0.name == name }
            variables.append(AppSetting(name: name, value: value))
        }
        return variables
    }

    // MARK: What containers report

    mutating func containerReady(_ instance: InstanceID, at now: Instant) {
        guard let key = instances[instance]?.site, let site = sites[key], let starting = site.container.starting,
            starting.instance == instance
        else { return }
        log(
            key, "INFO ",
            "Container \(containerName(of: instance, site: site)) for site \(site.name) initialized successfully and "
                + "is ready to serve requests.", at: now)
        if let old = site.container.serving { stop(old.instance, grace: stopLimit(of: site)) }
        sites[key]?.container.starting = nil
        sites[key]?.container.serving = .init(instance: instance, since: now)
        for request in site.container.held { effects.append(.forward(request, instance)) }
        sites[key]?.container.held = []
    }

    mutating func containerExited(_ instance: InstanceID, at now: Instant) {
        guard let record = instances.removeValue(forKey: instance), let site = sites[record.site] else { return }
        let name = containerName(of: instance, site: site)
        if site.container.starting?.instance == instance {
            log(
                record.site, "ERROR", "Container \(name) for site \(site.name) has exited, failing site start", at: now)
            startFailed(record.site, at: now)
        } else if let serving = site.container.serving, serving.instance == instance {
            log(record.site, "ERROR", "Container \(name) for site \(site.name) has exited, restarting it", at: now)
            sites[record.site]?.container.serving = nil
            // A container that served for a while does not pay for failures before it.
            if now - serving.since >= Self.settledAfter { sites[record.site]?.container.failures = 0 }
            if site.container.starting == nil { retry(record.site, at: now) }
        }
    }

    /// Bytes of a container's output: into the site's log, and whole lines that tell of an execution into the journal.
    mutating func containerWrote(_ instance: InstanceID, _ bytes: [UInt8], at now: Instant) {
        guard var record = instances[instance] else { return }
        sites[record.site]?.container.log.append(bytes)
        keep(bytes, of: record.site, at: now)
        for byte in bytes {
            if byte != UInt8(ascii: "\n") {
                if record.line.count < Self.longestFieldBytes { record.line.append(byte) }
                continue
            }
            recordLine(
                String(decoding: record.line, as: UTF8.self), category: "AppServiceConsoleLogs", level: "Informational",
                of: record.site, container: instance, at: now)
            if let execution = Self.execution(in: record.line, site: record.siteName) {
                effects.append(.journal(execution))
            }
            record.line.removeAll(keepingCapacity: true)
        }
        instances[instance]?.line = record.line
    }

    /// `skls-agent: exec token=TOKEN boot=BOOT`
    private static func execution(in line: [UInt8], site: String) -> ExecutionRecord? {
        let words = String(decoding: line, as: UTF8.self).split(separator: " ")
        guard words.count == 4, words[0] == "skls-agent:", words[1] == "exec", words[2].hasPrefix("token="),
            words[3].hasPrefix("boot=")
        else { return nil }
        return ExecutionRecord(site: site, token: String(words[2].dropFirst(6)), boot: String(words[3].dropFirst(5)))
    }

    // MARK: Failures and time

    /// Requests that waited for the start get the platform's error page, and the start is tried again.
    private mutating func startFailed(_ key: SiteKey, at now: Instant) {
        guard let site = sites[key] else { return }
        log(key, "INFO ", "Stopping site \(site.name) because it failed during startup.", at: now)
        sites[key]?.container.starting = nil
        if site.container.serving == nil {
            for request in site.container.held { effects.append(.reply(request, FrontEndPage.applicationError)) }
            sites[key]?.container.held = []
        }
        retry(key, at: now)
    }

    /// The first restart is at once, later ones after 1 s, 2 s, 4 s … to the bound. Azure documents only that it tries
    /// for ever with growing pauses; the figures are guesses.
    private mutating func retry(_ key: SiteKey, at now: Instant) {
        guard let site = sites[key], !isShuttingDown else { return }
        let failures = site.container.failures
        sites[key]?.container.failures = failures + 1
        // Why it cannot be mounted stands in the log already.
        if failures == 0, site.image.flatMap(baseRoot) != nil, (try? mounts(of: site)) != nil {
            startContainer(of: key, at: now)
            return
        }
        let pause = min(Duration.seconds(1 << min(max(0, failures - 1), 10)), Self.longestPause)
        sites[key]?.container.retryAt = now + pause
        effects.append(.wake(key, at: now + pause))
    }

    private static let longestPause = Duration.seconds(60)
    private static let settledAfter = Duration.seconds(60)

    /// Looks at the site's deadlines, not at what the wake was meant for.
    mutating func wake(_ key: SiteKey, at now: Instant) {
        guard let site = sites[key] else { return }
        if let starting = site.container.starting, starting.deadline <= now {
            log(
                key, "ERROR",
                "Container \(containerName(of: starting.instance, site: site)) didn't respond to HTTP pings on port: "
                    + "\(site.setting("WEBSITES_PORT") ?? "80"), failing site start. See container logs for debugging.",
                at: now)
            stop(starting.instance, grace: .zero)
            startFailed(key, at: now)
        } else if let retryAt = site.container.retryAt, retryAt <= now {
            startContainer(of: key, at: now)
        }
    }

    /// Stops every container of a site that is deleted or stopped; requests that wait for one get the page.
    mutating func stopContainers(of key: SiteKey, page: Reply) {
        guard let site = sites[key] else { return }
        // A container that never was ready has no request under way: it needs no time to end.
        if let starting = site.container.starting { stop(starting.instance, grace: .zero) }
        if let serving = site.container.serving { stop(serving.instance, grace: stopLimit(of: site)) }
        for request in site.container.held { effects.append(.reply(request, page)) }
        sites[key]?.container.starting = nil
        sites[key]?.container.serving = nil
        sites[key]?.container.retryAt = nil
        sites[key]?.container.held = []
    }

    /// The end of the simulator: nothing starts any more, and whoever waits is told.
    mutating func shutDown() {
        isShuttingDown = true
        for key in siteOrder {
            for request in sites[key]?.container.held ?? [] {
                effects.append(.reply(request, FrontEndPage.serviceUnavailable))
            }
            sites[key]?.container.held = []
            stopContainers(of: key, page: FrontEndPage.serviceUnavailable)
        }
    }

    private mutating func stop(_ instance: InstanceID, grace: Duration) {
        effects.append(.stop(instance, grace: grace))
    }

    private func stopLimit(of site: Site) -> Duration {
        site.seconds("WEBSITES_CONTAINER_STOP_TIME_LIMIT", within: 0...120) ?? WorldSettings.stopLimit
    }

    private func containerName(of instance: InstanceID, site: Site) -> String {
        "\(site.name)_\(site.container.starts)_\(instance.text.prefix(8))"
    }

    private mutating func log(_ key: SiteKey, _ level: String, _ text: String, at now: Instant) {
        let line = Array("\(now.iso8601) \(level) - \(text)\n".utf8)
        sites[key]?.container.log.append(line)
        keep(line, of: key, isPlatform: true, at: now)
        recordLine(
            text, category: "AppServicePlatformLogs", level: level == "ERROR" ? "Error" : "Informational", of: key,
            container: sites[key]?.container.starting?.instance ?? sites[key]?.container.serving?.instance, at: now)
    }
}
