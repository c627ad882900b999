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
                forget(key, at: now)
                continue
            }
            let wasHidden = visibility.hiddenUntil != nil
            if let end = visibility.hiddenUntil, end <= now { visibility.hiddenUntil = nil }
            if let end = visibility.buildingUntil, end <= now { visibility.buildingUntil = nil }
            if let end = visibility.beforeUntil, end <= now {
                visibility.before = nil
                visibility.beforeUntil = nil
            }
            sites[key]?.visibility = visibility
            if visibility.next == nil { unsettledSites.remove(key) }
            if wasHidden, visibility.hiddenUntil == nil, let site = sites[key] {
                noteGraphChange(of: id(of: site), at: now)
            }
        }
        for index in webOperations.indices where webOperations[index].ends <= now {
            webOperations[index].isDone = true
        }
        for (key, plan) in plans {
            guard let end = plan.hiddenUntil, end <= now else { continue }
            plans[key]?.hiddenUntil = nil
            noteGraphChange(of: id(of: plan), at: now)
        }
        if let first = webOperations.first, first.ends + WebSettings.operationLife <= now {
            webOperations.removeAll { $0.ends + WebSettings.operationLife <= now }
        }
        var excess = webOperations.count - WebSettings.operationLimit
        if excess > 0 {
            webOperations.removeAll { operation in
                guard excess > 0, operation.isDone else { return false }
                excess -= 1
                return true
            }
        }
    }

    /// Takes a site's last traces away: its name is free, and Resource Graph hears of it.
    mutating func forget(_ key: SiteKey, at now: Instant) {
        unsettledSites.remove(key)
        guard let site = sites.removeValue(forKey: key) else { return }
        siteOrder.remove(at: insertionIndex(of: key))
        noteGraphChange(of: id(of: site), at: now)
    }

    /// Shows what is being made in a group and cannot be seen yet, so that the group's deletion takes it along.
    mutating func showWhatIsHidden(inGroup group: String) {
        for key in unsettledSites where sites[key]?.group.lowercased() == group.lowercased() {
            sites[key]?.visibility.hiddenUntil = nil
        }
        for (key, plan) in plans where plan.group.lowercased() == group.lowercased() {
            plans[key]?.hiddenUntil = nil
        }
    }

    /// How long a resource may be seen wrongly after a change, where a fault wants that.
    var inconsistency: Duration {
        max(settings.scaled(WebSettings.inconsistency), WebSettings.shortestInconsistency)
    }
}
