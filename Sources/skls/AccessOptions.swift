import ArgumentParser
import Daemon

/// Who can connect to the daemon, and how they prove themselves. Names are dockerd's where it has them.
struct AccessOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Group whose members may use the socket, by name or number.", valueName: "group"))
    var group: String?

    @Option(help: ArgumentHelp("Listen on TCP as well; may be repeated.", valueName: "tcp://address:port"))
    var tcp: [String] = []

    @Flag(name: .customLong("tlsverify"), help: "On TCP, demand certificates of clients.")
    var verifiesClients = false

    @Option(
        name: .customLong("tlscacert"),
        help: ArgumentHelp("Who signs clients' certificates (PEM).", valueName: "file"))
    var clientAuthority: String?

    @Option(name: .customLong("tlscert"), help: ArgumentHelp("The daemon's certificate (PEM).", valueName: "file"))
    var certificate: String?

    @Option(
        name: .customLong("tlskey"), help: ArgumentHelp("Its key (PEM), not readable by others.", valueName: "file"))
    var key: String?

    @Option(help: ArgumentHelp("On TCP, demand one of the bearer tokens in this file.", valueName: "file"))
    var tokenFile: String?

    var settings: AccessSettings {
        var settings = AccessSettings()
        settings.socketGroup = group
        settings.addresses = tcp
        settings.verifiesClients = verifiesClients
        settings.clientAuthority = clientAuthority
        settings.certificate = certificate
        settings.key = key
        settings.tokenFile = tokenFile
        return settings
    }

    func validate() throws {
        do {
            try settings.check()
        } catch {
            throw ValidationError("\(error)")
        }
    }
}
