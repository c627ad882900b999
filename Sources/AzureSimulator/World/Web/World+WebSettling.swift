extension World {
    /// Ends what takes time in Microsoft.Web and whose time has come. Called before every request, so that whoever looks
    /// at sites sees them as they are now.
    mutating func settleWeb(at now: Instant) {
        for key in unsettledSites.sorted() {
            guard var visibility = sites[key]?.visibility else {
                unsettledSites.remove(key)
                continue
            }
            guard let next = visibility.next, next <= now else { continue }
            if let end = visibility.deletedUntil, end <= now {
                forget(key)
                continue
            }
            if let end = visibility.hiddenUntil, end <= now { visibility.hiddenUntil = nil }
            if let end = visibility.buildingUntil, end <= now { visibility.buildingUntil = nil }
            if let end = visibility.beforeUntil, end <= now {
                visibility.before = nil
                visibility.beforeUntil = nil
            }
            sites[key]?.visibility = visibility
            if visibility.next == nil { unsettledSites.remove(key) }
        }
        for index in webOperations.indices where webOperations[index].ends <= now {
            webOperations[index].isDone = true
        }
        for (key, plan) in plans {
            if let end = plan.hiddenUntil, end <= now { plans[key]?.hiddenUntil = nil }
        }
        if let first = webOperations.first, first.ends + WebSettings.operationLife <= now {
            webOperations.removeAll { $0.ends + WebSettings.operationLife <= now }
        }
    }

    /// Takes a site's last traces away: its name is free.
    mutating func forget(_ key: SiteKey) {
        unsettledSites.remove(key)
        guard sites.removeValue(forKey: key) != nil else { return }
        siteOrder.remove(at: insertionIndex(of: key))
    }

    /// How long a resource may be seen wrongly after a change, where a fault wants that.
    var inconsistency: Duration {
        max(settings.scaled(WebSettings.inconsistency), WebSettings.shortestInconsistency)
    }
}
