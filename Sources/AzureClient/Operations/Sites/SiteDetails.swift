/// All that can be read of one site: what lists show and what they leave out. Read piece by piece, so the pieces may be
/// of different moments; `site` is the oldest.
package struct SiteDetails: Sendable, Hashable {
    package var site: Site
    /// By name as Azure spells it; the values may be secrets.
    package var appSettings: [String: Secret]
    /// `config/web`: the site's configuration in full, where the site itself carries only a stub of it.
    package var config: JSONValue
    /// By the mount's own id.
    package var mounts: [String: SiteMount]

    package init(
        site: Site, appSettings: [String: Secret] = [:], config: JSONValue = .object([:]),
        mounts: [String: SiteMount] = [:]
    ) {
        self.site = site
        self.appSettings = appSettings
        self.config = config
        self.mounts = mounts
    }
}
