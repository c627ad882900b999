import DesiredState

/// The record asks for what Azure cannot change on a site: told before anything is written, and done by deleting the site and making it anew if the record
/// allows that. The intent of the deletion is what a later life goes on from: an absent site is created as always.
func replacing(_ facts: Facts) -> Decision? {
    guard facts.openAttempt == nil, let site = facts.ownSite,
        site.designHash != facts.input.identity.designHash, let difference = facts.immutableDifference(of: site)
    else { return nil }
    switch facts.record.spec.replacement {
    case .never:
        return Decision(
            reason: "\(difference), which Azure cannot change on a site: undo the change, or set spec.replacement to "
                + "Recreate to have the site deleted and made anew",
            stalledReason: "ImmutableFieldChanged")
    case .recreate:
        return .call(.deleteSite, facts, reason: "\(difference): the site is deleted, and then made anew")
    }
}

extension Facts {
    /// In words, how the site differs in what is fixed when it is made.
    func immutableDifference(of site: ObservedSite) -> String? {
        let desired = input.identity
        if let now = site.hosting, let wanted = desired.hosting, now != wanted {
            return "the site is on \(now.words), and the record wants it on \(wanted.words)"
        }
        if let now = site.location, let wanted = desired.location, now != wanted {
            return "the site is in \(now), and should be in \(wanted)"
        }
        return nil
    }
}

extension HostingKind {
    fileprivate var words: String {
        switch self {
        case .plan: "an App Service plan"
        case .managedEnvironment: "a Container Apps environment"
        }
    }
}

/// A site with this record's uid that another installation has made, and the record may take over: it is written with our tags.
func adopting(_ facts: Facts) -> Decision? {
    guard facts.openAttempt == nil, !facts.record.isBeingDeleted, facts.record.spec.adoption == .ifTagged,
        let site = facts.foreignSite, site.instance != nil, site.uid == facts.record.uid.text
    else { return nil }
    return .call(
        .putSite, facts, reason: "taking over the site, which the installation \(site.instance ?? "") has made")
}
