extension LoadedSettings {
    /// Who may connect beside the socket's owner, of all layers. `nil` with faults.
    func access(_ faults: inout [String], _ notices: inout [String]) -> AccessSettings? {
        var access = AccessSettings()
        let before = faults.count
        access.socketGroup = self["listen.group"]
        access.certificate = self["listen.tls_cert"]
        access.key = self["listen.tls_key"]
        access.clientAuthority = self["listen.tls_ca_cert"]
        access.verifiesClients = access.clientAuthority != nil
        access.tokenFile = self["listen.token_file"]
        for text in (self["listen.tcp"] ?? "").split(separator: ",").map(String.init) {
            guard case .tcp(let host, let port)? = ListenAddress(text) else {
                faults.append("SKLS_TCP_ADDRESS is no address such as :9100 or tcp://127.0.0.1:9100: \(text)")
                continue
            }
            let address = ListenAddress.tcp(host: host, port: port)
            if text.hasPrefix(":") {
                notices.append(
                    "\(text) is taken as \(address): who connects may do everything, so other machines are let in only "
                        + "where an address is named and certificates or tokens are demanded")
            }
            if !address.isLocal, access.clientAuthority == nil, access.tokenFile == nil {
                faults.append(
                    "SKLS_TCP_ADDRESS: \(address) can be reached from other machines, and who connects may do everything: "
                        + "demand certificates (SKLS_TLS_CA_CERT) or tokens (SKLS_TOKEN_FILE), or listen on 127.0.0.1")
            }
            access.addresses.append(address.description)
        }
        if (access.certificate == nil) != (access.key == nil) {
            faults.append("SKLS_TLS_CERT and SKLS_TLS_KEY need each other")
        }
        if access.clientAuthority != nil, access.certificate == nil || access.key == nil {
            faults.append("SKLS_TLS_CA_CERT needs SKLS_TLS_CERT and SKLS_TLS_KEY")
        }
        let hasProof = [access.certificate, access.clientAuthority, access.tokenFile].contains { $0 != nil }
        if access.addresses.isEmpty, hasProof, faults.count == before {
            faults.append("TLS and tokens are for TCP: say where to listen with SKLS_TCP_ADDRESS")
        }
        guard faults.count == before else { return nil }
        do throws(ConfigurationFaults) {
            try access.check()
            return access
        } catch {
            faults += error.faults
            return nil
        }
    }
}
