/// What the backend tells its callers that it can do, as Sockerless' `GET /internal/v1/capabilities` has it. Each value follows from the
/// configuration; nothing is claimed that a request would refuse.
struct BackendCapabilities: Hashable, Sendable {
    /// A part of the API that may be missing as a whole.
    enum Feature: String, Hashable, Sendable, CaseIterable {
        case exec, attach, networks, volumes
    }

    /// The name of this kind of backend, in every report and refusal.
    static let backend = "azf"

    var exec: Bool
    var attach: Bool
    var logs = true
    var logsFollow: Bool
    var volumes = false
    var networks = false
    var healthChecks = false
    /// A pull only makes the reference known: Azure pulls the image itself.
    var imagePull = true
    var imageLoad = false
    /// 0 = none.
    var maximumTimeoutSeconds: Int
    var agentRequired: Bool

    /// Without sessions the strict contract of a backend whose functions only run to their end.
    init(withSessions hasSessions: Bool, withVolumes hasVolumes: Bool = false, runTimeoutSeconds: Int) {
        exec = hasSessions
        attach = hasSessions
        logsFollow = hasSessions
        agentRequired = hasSessions
        volumes = hasVolumes
        maximumTimeoutSeconds = runTimeoutSeconds
    }

    func has(_ feature: Feature) -> Bool {
        switch feature {
        case .exec: exec
        case .attach: attach
        case .networks: networks
        case .volumes: volumes
        }
    }

    func json(version: String) -> JSON {
        [
            "backend": .string(BackendCapabilities.backend), "version": .string(version),
            "capabilities": [
                "exec": .bool(exec), "attach": .bool(attach), "logs": .bool(logs), "logs_follow": .bool(logsFollow),
                "volumes": .bool(volumes), "networks": .bool(networks), "health_checks": .bool(healthChecks),
                "image_pull": .bool(imagePull), "image_load": .bool(imageLoad),
                "max_timeout_seconds": .number(maximumTimeoutSeconds), "agent_required": .bool(agentRequired),
            ],
        ]
    }
}

extension DockerError {
    static func lacking(_ feature: BackendCapabilities.Feature) -> DockerError { .notCapable(of: feature.rawValue) }
}
