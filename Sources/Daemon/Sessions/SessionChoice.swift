import AgentLink
import AgentProtocol
import AzureSimulator
import Controller
import Foundation
import NIOSSL

/// Whether there are sessions with the agents in the containers, and who makes their connections.
package enum SessionChoice: Sendable {
    /// Nobody: what needs a session is refused.
    case off
    /// The daemon dials the sites' addresses.
    case forward
    /// The agents call the daemon.
    case reverse(CallbackSettings)

    /// Reads `SKLS_SESSIONS` (`off`, `forward`, `reverse`; by default `reverse` where there is a callback's URL, else
    /// `forward`) and what ``CallbackSettings`` reads. Throws every fault at once.
    package init(environment: [String: String]) throws(ConfigurationFaults) {
        let hasCallback = !(environment[CallbackSettings.urlVariable] ?? "").isEmpty
        switch environment["SKLS_SESSIONS"] ?? "" {
        case "off": self = .off
        case "forward":
            if hasCallback {
                throw ConfigurationFaults(faults: [
                    "SKLS_SESSIONS is forward, and \(CallbackSettings.urlVariable) is set: agents either call or are called"
                ])
            }
            self = .forward
        case "reverse": self = .reverse(try CallbackSettings(environment: environment))
        case "": self = hasCallback ? .reverse(try CallbackSettings(environment: environment)) : .forward
        case let text:
            throw ConfigurationFaults(faults: ["SKLS_SESSIONS is off, forward or reverse, not \(text)"])
        }
    }
}

/// Where agents call the daemon, and what it listens on for them.
package struct CallbackSettings: Sendable {
    package static let urlVariable = "SOCKERLESS_CALLBACK_URL"

    /// What the sites are told, without a slash at its end.
    package let url: String
    /// Of the URL.
    let target: EgressTarget
    private let path: String
    private let host: String
    private let port: Int
    private let certificate: [NIOSSLCertificate]
    private let key: NIOSSLPrivateKey?
    /// PEM that agents are told to trust.
    private let authority: String?

    /// Reads `SOCKERLESS_CALLBACK_URL`, `SKLS_CALLBACK_ADDR` (`HOST:PORT` to listen on; by default that of the URL, where
    /// that is on this machine), `SKLS_CALLBACK_CERT` and `SKLS_CALLBACK_KEY` (files in PEM; without them the listener
    /// speaks plain HTTP, for a proxy in front of it or loopback) and `SKLS_CALLBACK_CA` (a file in PEM).
    init(environment: [String: String]) throws(ConfigurationFaults) {
        func optional(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        var faults: [String] = []
        let text = optional(Self.urlVariable) ?? ""
        let parts = URLComponents(string: text)
        let scheme = parts?.scheme?.lowercased() ?? ""
        let urlHost = parts?.host ?? ""
        let urlPort = parts?.port ?? (["https", "wss"].contains(scheme) ? 443 : 80)
        path = String((parts?.percentEncodedPath ?? "").reversed().drop { $0 == "/" }.reversed())
        url = String(text.reversed().drop { $0 == "/" }.reversed())
        let target = EgressTarget("\(urlHost):\(urlPort)")
        if !["http", "https", "ws", "wss"].contains(scheme) || target == nil || parts?.query != nil
            || parts?.user != nil
        {
            faults.append(
                "\(Self.urlVariable) is the address at which agents call the daemon, https://host[:port][/path], not '\(text)'"
            )
        }
        let isLocal = ["127.0.0.1", "::1", "localhost"].contains(target?.host ?? "")
        let address = optional("SKLS_CALLBACK_ADDR") ?? (isLocal ? target?.description : nil)
        let listening = address.flatMap { EgressTarget($0.hasPrefix(":") ? "0.0.0.0\($0)" : $0) }
        if listening == nil {
            faults.append(
                "SKLS_CALLBACK_ADDR (--callback-addr) is the HOST:PORT to listen on for agents"
                    + (address.map { ", not \($0)" } ?? ": it is needed where the callback's URL is not on this machine")
            )
        }
        (host, port) = (listening?.host ?? "", listening?.port ?? 0)
        var certificate: [NIOSSLCertificate] = []
        var key: NIOSSLPrivateKey?
        switch (optional("SKLS_CALLBACK_CERT"), optional("SKLS_CALLBACK_KEY")) {
        case (nil, nil): break
        case (let chain?, let file?):
            do { certificate = try NIOSSLCertificate.fromPEMFile(chain) } catch {
                faults.append("SKLS_CALLBACK_CERT: there are no certificates in \(chain)")
            }
            do { key = try NIOSSLPrivateKey(file: file, format: .pem) } catch {
                faults.append("SKLS_CALLBACK_KEY: there is no key in \(file)")
            }
        case (_?, nil), (nil, _?): faults.append("SKLS_CALLBACK_CERT and SKLS_CALLBACK_KEY belong together")
        }
        (self.certificate, self.key) = (certificate, key)
        var authority: String?
        if let file = optional("SKLS_CALLBACK_CA") {
            authority = try? String(contentsOfFile: file, encoding: .utf8)  // what is lost is why
            if authority?.contains("BEGIN CERTIFICATE") != true {
                faults.append("SKLS_CALLBACK_CA: there are no certificates in \(file)")
            }
        }
        self.authority = authority
        guard let target, faults.isEmpty else { throw ConfigurationFaults(faults: faults) }
        self.target = target
    }

    /// For the sites.
    var callback: SiteDesigner.Configuration.Callback { .init(url: url, authority: authority) }

    /// For the listener.
    /// - Throws: if certificate and key cannot be used.
    var listener: CallbackListener.Settings {
        get throws {
            let tls = try key.map { key in
                try NIOSSLContext(
                    configuration: .makeServerConfiguration(
                        certificateChain: certificate.map { .certificate($0) }, privateKey: .privateKey(key)))
            }
            return CallbackListener.Settings(host: host, port: port, path: path, tls: tls)
        }
    }
}
