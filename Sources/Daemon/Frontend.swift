import APIServer
package import Logging
import ServiceLifecycle

/// Docker's API on a socket of this machine, for a backend at another address, until SIGTERM or SIGINT.
package func runFrontend(socketPath: String, backend: ListenAddress, logger: Logger) async throws {
    let address: DockerFrontend.Backend =
        switch backend {
        case .unix(let path): .unix(path)
        case .tcp(let host, let port): .tcp(host: host, port: port)
        }
    try await ServiceGroup.untilSignal(
        [DockerFrontend(socketPath: socketPath, backend: address, logger: logger)], logger: logger)
}
