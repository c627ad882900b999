import AzureClient

extension ObservedSite {
    init(_ site: Site) {
        self.init(
            name: site.name, resourceID: "\(site.resourceID)", hostName: site.defaultHostName ?? "", tags: site.tags,
            state: site.state ?? "", lastModified: site.lastModifiedTime)
    }
}

extension SiteName {
    /// - Throws: `invalid` if the text is none.
    init(checking text: String) throws(AzureError) {
        guard let name = SiteName(rawValue: text) else {
            throw AzureError(code: .invalid, operation: .getSite, resource: text, message: "not a site name")
        }
        self = name
    }
}

extension CallResult.Failure {
    /// `nil` when the call was cancelled.
    init?(_ error: AzureError) {
        let kind: CallFailure.Kind
        var retryAfter = error.retryAfter
        switch Disposition(error) {
        case .cancelled: return nil
        case .retryAfter(let delay):
            kind = .transient
            retryAfter = delay
        case .outcomeUnknown: kind = .outcomeUnknown
        case .waitForChange: kind = .terminal(reason: error.code.rawValue)
        case .stop(let reason): kind = .terminal(reason: reason)
        }
        // 59203 is about the site alone (seen in issues of terraform-provider-azurerm, read 2026-02).
        self.init(
            kind: kind, message: error.description, retryAfter: retryAfter,
            isPlanBusy: error.code == .conflictBusy && error.innerCode != "59203")
    }
}
