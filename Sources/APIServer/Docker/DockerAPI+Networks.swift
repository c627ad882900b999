import AgentProtocol
import DesiredState
import HTTPTypes
import HummingbirdCore

/// The networks that clients find before they ask for any, with Docker's names.
enum PredefinedNetwork: String, CaseIterable, Sendable {
    case bridge, host, none

    /// The same for ever and everywhere.
    var id: String { Hex.encode(SHA256.digest(Array("skls network \(rawValue)".utf8))) }
    var driver: String { self == .none ? "null" : rawValue }

    /// By name, id, or the beginning of the id.
    func isMeant(by text: String) -> Bool {
        rawValue == text || !text.isEmpty && id.hasPrefix(text)
    }

    var json: JSON {
        [
            "Name": .string(rawValue), "Id": .string(id), "Created": "0001-01-01T00:00:00Z", "Scope": "local",
            "Driver": .string(driver), "EnableIPv4": true, "EnableIPv6": false,
            "IPAM": ["Driver": "default", "Options": nil, "Config": []], "Internal": false, "Attachable": false,
            "Ingress": false, "ConfigFrom": ["Network": ""], "ConfigOnly": false, "Containers": [:], "Options": [:],
            "Labels": [:],
        ]
    }
}

extension DockerAPI {
    /// Lists are readable though Function Apps share no network: clients look before they decide what they need.
    func networks(_ route: SystemRoute, _ exchange: Exchange) throws(DockerError) -> Response {
        let filters = exchange.query["filters"]
        switch route {
        case .networks: return .json(.array(try NetworkFilters(filters).networks.map(\.json)))
        case .pruneNetworks:
            let arguments = try FilterArguments(filters, allowed: ["label", "label!", "until"])
            _ = try arguments.until(backend.clock())
            return .json(["NetworksDeleted": nil])
        case .network(let text): return .json(try network(text).json)
        case .removeNetwork(let text):
            throw DockerError(
                .forbidden, "\(try network(text)) is a pre-defined network and cannot be removed")
        default: throw DockerError.pageNotFound
        }
    }

    private func network(_ text: String) throws(DockerError) -> PredefinedNetwork {
        guard let network = PredefinedNetwork.allCases.first(where: { $0.isMeant(by: text) }) else {
            throw DockerError(.notFound, "network \(text) not found")
        }
        return network
    }
}

/// Which networks a list shows (moby v28, `daemon/network/filter.go`).
struct NetworkFilters {
    let networks: [PredefinedNetwork]

    init(_ text: String?) throws(DockerError) {
        let filters = try FilterArguments(
            text, allowed: ["dangling", "driver", "id", "label", "name", "scope", "type"])
        for type in filters["type"] where !["builtin", "custom"].contains(type) {
            throw .badParameter("invalid filter: 'type'='\(type)'")
        }
        // None of them can be removed, so none is in nobody's use.
        let dangles = try filters.flag("dangling")
        var names: [NamePattern] = []
        for name in filters["name"] { names.append(try NamePattern(name)) }
        networks = PredefinedNetwork.allCases.filter { network in
            dangles != true && filters.exactly("driver", network.driver) && filters.beginning("id", network.id)
                && filters.matchesAll("label", of: [:]) && filters.exactly("scope", "local")
                && filters.exactly("type", "builtin")
                && (names.isEmpty || names.contains { $0.matches(network.rawValue) })
        }
    }
}
