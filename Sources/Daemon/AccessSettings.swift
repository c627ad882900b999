import APIServer

/// Who can connect to the daemon beside the socket's owner, and how they prove themselves. Nothing set: the socket only.
package struct AccessSettings: Hashable, Sendable {
    /// Whose members may use the socket, by name or number; `nil` = the group of the process.
    package var socketGroup: String?
    /// `tcp://ADDRESS:PORT`, each served like the socket.
    package var addresses: [String] = []
    /// Demands certificates of clients, as dockerd's `--tlsverify`.
    package var verifiesClients = false
    /// Files of PEM.
    package var clientAuthority: String?
    package var certificate: String?
    package var key: String?
    /// A bearer token on each line.
    package var tokenFile: String?

    package init() {}

    /// Throws all that does not fit together, or would let everybody in.
    package func check() throws(ConfigurationFaults) { _ = try listeners }

    var listeners: [TCPListener] {
        get throws(ConfigurationFaults) {
            var faults: [String] = []
            let hasProof = [clientAuthority, certificate, key, tokenFile].contains { $0 != nil } || verifiesClients
            if addresses.isEmpty, hasProof {
                faults.append("TLS and tokens are for TCP: say where to listen with --tcp tcp://ADDRESS:PORT")
            }
            if verifiesClients != (clientAuthority != nil) {
                faults.append("--tlsverify and --tlscacert need each other")
            }
            if (certificate == nil) != (key == nil) { faults.append("--tlscert and --tlskey need each other") }
            if verifiesClients, certificate == nil { faults.append("--tlsverify needs --tlscert and --tlskey") }
            var listeners: [TCPListener] = []
            for address in addresses {
                guard var listener = TCPListener(address) else {
                    faults.append("--tcp takes tcp://ADDRESS:PORT with an IP address or localhost, not \(address)")
                    continue
                }
                if let certificate, let key {
                    listener.tls = TCPListener.TLSFiles(
                        certificate: certificate, key: key, clientAuthority: clientAuthority)
                }
                listener.tokenFile = tokenFile
                if let refusal = listener.refusal { faults.append(refusal) }
                listeners.append(listener)
            }
            guard faults.isEmpty else { throw ConfigurationFaults(faults: faults) }
            return listeners
        }
    }
}
