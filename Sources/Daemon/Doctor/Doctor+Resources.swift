import AzureClient

extension Doctor {
    /// The subscription, the group and the plan, by the reads that the daemon itself lives on.
    func checkResources(
        _ settings: AzureSettings, _ planID: ResourceID?, _ connection: AzureConnection, _ report: inout DoctorReport
    ) async {
        guard await checkGroup(settings, connection, &report) else {
            report.skipped("plan", "its resource group cannot be read")
            return
        }
        guard let planID else {
            report.note(
                "plan", "SKLS_PLAN is not set: the group's only plan that runs containers is taken, or an environment")
            return
        }
        do throws(AzureError) {
            guard let plan = try await connection.client.getPlan(planID, correlationID: correlation) else {
                report.failed("plan", "\(planID) does not exist", advice: DoctorAdvice.makePlan(settings))
                return
            }
            checkPlan(plan, location: settings.location, &report)
        } catch {
            report.failed("plan", found(error), advice: DoctorAdvice.of(error, settings))
        }
    }

    /// The workspace of the sites' logs, by a query that reads no table.
    func checkLogs(_ settings: AzureSettings, _ connection: AzureConnection, _ report: inout DoctorReport) async {
        guard let text = settings.logWorkspace else {
            report.note("log workspace", "SKLS_LOG_WORKSPACE is not set: logs end with their site")
            return
        }
        do throws(AzureError) {
            var workspace = GUID(text)
            if let id = AzureSettings.workspaceResource(text) {
                workspace = try await connection.client.workspaceID(of: id, correlationID: correlation)
            }
            guard let workspace else {
                report.failed(
                    "log workspace", "there is no workspace \(text)", advice: "correct SKLS_LOG_WORKSPACE, or unset it")
                return
            }
            _ = try await connection.client.queryLogs(
                LogQuery(.workspace(workspace), "print 1"), correlationID: correlation)
            report.ok("log workspace", text)
            try await checkConsole(settings, workspace, connection, &report)
        } catch {
            report.failed(
                "log workspace", found(error),
                advice: "correct SKLS_LOG_WORKSPACE (the workspace's GUID or resource id, not its name), or give the "
                    + "identity the role Log Analytics Reader on it")
        }
    }

    /// Whether containers' consoles come to the workspace. None may have run lately, so it is no failure if not.
    private func checkConsole(
        _ settings: AzureSettings, _ workspace: GUID, _ connection: AzureConnection, _ report: inout DoctorReport
    ) async throws(AzureError) {
        guard settings.copiesOutput else {
            report.note("console logs", "SKLS_CONSOLE_LOGS is off: what commands write is not copied to the workspace")
            return
        }
        let query = """
            AppServiceConsoleLogs
            | where TimeGenerated > ago(7d)
            | where ResultDescription has "skls"
            | take 1
            | project TimeGenerated
            """
        let answer = try await connection.client.queryLogs(
            LogQuery(.workspace(workspace), query), correlationID: correlation)
        if case .table(let table, _) = answer, !table.rows.isEmpty {
            report.ok("console logs", "lines of containers came within the last 7 days")
        } else {
            report.note("console logs", DoctorAdvice.sendConsole)
        }
    }

    private func checkPlan(_ plan: AppServicePlan, location: String, _ report: inout DoctorReport) {
        do throws(PlanRefusal) {
            _ = try plan.containerFamily(location: location)
            let size = [plan.skuName, plan.skuTier].compactMap(\.self).joined(separator: " ")
            report.ok("plan", "\(plan.name), \(size), \(plan.numberOfSites ?? 0) sites")
        } catch {
            report.failed("plan", error.reason, advice: error.description)
        }
    }

    /// Azure looks for the subscription, then for the group, then for the site (azure-resource-manager-rpc v1.0, read
    /// 2026-02), so one read of a site that nobody has tells about both.
    private func checkGroup(
        _ settings: AzureSettings, _ connection: AzureConnection, _ report: inout DoctorReport
    ) async -> Bool {
        guard let nobody = SiteName(rawValue: "skls-doctor-looks-around") else { return false }
        do throws(AzureError) {
            _ = try await connection.client.getSite(nobody, correlationID: correlation)
            report.ok("subscription", settings.subscriptionID)
            report.ok("resource group", settings.resourceGroup)
            return true
        } catch {
            let isGroup = error.serviceCode?.lowercased() == "resourcegroupnotfound"
            if isGroup {
                report.ok("subscription", settings.subscriptionID)
                report.failed(
                    "resource group", "\(settings.resourceGroup) does not exist",
                    advice: DoctorAdvice.makeGroup(settings))
            } else {
                report.failed("subscription", found(error), advice: DoctorAdvice.of(error, settings))
                report.skipped("resource group", "the subscription cannot be read")
            }
            return false
        }
    }
}
