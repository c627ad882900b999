package import AgentLink
package import AgentProtocol
package import DesiredState

/// Where each record's agent is spoken to, and with which secret.
package struct AgentDirectory: Sendable {
    private let designer: SiteDesigner
    private let siteAddress: String?

    /// `siteAddress`: what to connect to instead of the sites' own host names, such as `http://127.0.0.1:4280` for a simulator; `nil` = `https://` and the host name.
    package init(designer: SiteDesigner, siteAddress: String?) {
        self.designer = designer
        self.siteAddress = siteAddress
    }

    /// The secret of a record's agent; also of a record that is gone, or never was.
    package func secret(of uid: UID) -> AgentSecret? { AgentSecret(hex: designer.agentSecret(of: uid)) }

    package func endpoint(of uid: UID, hostName: String) -> AgentEndpoint? {
        guard let secret = secret(of: uid) else { return nil }
        guard let siteAddress else { return AgentEndpoint(baseURL: "https://" + hostName, secret: secret) }
        return AgentEndpoint(baseURL: siteAddress, hostHeader: hostName, secret: secret)
    }
}
