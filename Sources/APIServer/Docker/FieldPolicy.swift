/// Which fields of a create body can be honoured.
///
/// The rule: a field that only describes, or that asks for what every container here has anyway, is kept; one that would make the container run
/// differently from what was asked is refused by its name, before anything exists; limits on resources are kept with a warning, as moby does on kernels
/// without them. A field that is zero was not asked for.
enum FieldPolicy {
    /// Throws the first refusal; returns warnings.
    static func check(body: JSON, host: JSON) throws(DockerError) -> [String] {
        guard host.isNull || host.isObject else {
            throw .badParameter("invalid JSON: HostConfig must be an object, not \(host.kind)")
        }
        if let check = body["Healthcheck"], !check.isZero, try check.strings("Test") != ["NONE"] {
            throw refusal("Healthcheck", "nothing would run it; use --no-healthcheck")
        }
        for (name, why) in refusedInConfig where !(body[name] ?? .null).isZero { throw refusal(name, why) }
        for (name, why) in refusedInHost where !(host[name] ?? .null).isZero {
            throw refusal("HostConfig.\(name)", why)
        }
        for (name, allowed, why) in restricted {
            let value = try host.string(name) ?? ""
            guard allowed.contains(value) else { throw refusal("HostConfig.\(name) \"\(value)\"", why) }
        }
        if let bytes = host["Memory"]?.integer, bytes > 0, bytes < minimumMemoryBytes {
            throw .badParameter("Minimum memory limit allowed is 6MB")
        }
        try checkRestartPolicy(host)
        try checkNetworks(body)
        _ = try LogDriver(hostConfig: host)
        return unenforced.filter { !(host[$0] ?? .null).isZero && host[$0]?.integer != -1 }.map {
            "HostConfig.\($0) is kept but not enforced: the plan's workers set the limits of a Function App."
        }
    }

    private static let refusedInConfig = [
        ("MacAddress", "the network of a Function App belongs to Azure")
    ]

    private static let refusedInHost: [(name: String, why: String)] = {
        let network = "the network of a Function App belongs to Azure"
        let kernel = "the host of a Function App belongs to Azure"
        let ports = "a Function App has one public address, on which nothing of the container is published"
        return [
            ("VolumesFrom", "name the volumes of both containers, with -v NAME:PATH"),
            ("Tmpfs", "App Service mounts shares only; the container's own files, such as /tmp, go with it"),
            ("StorageOpt", kernel),
            ("PortBindings", ports), ("PublishAllPorts", ports),
            ("Links", network), ("ExtraHosts", network), ("Dns", network), ("DnsOptions", network),
            ("DnsSearch", network),
            ("Privileged", kernel), ("Devices", kernel), ("DeviceRequests", kernel), ("DeviceCgroupRules", kernel),
            ("CapAdd", kernel), ("CapDrop", kernel), ("SecurityOpt", kernel), ("Sysctls", kernel),
            ("GroupAdd", "the agent sets one group only"), ("ReadonlyRootfs", kernel), ("CgroupParent", kernel),
            ("Ulimits", kernel),
        ]
    }()

    /// Fields with harmless values beside the others.
    private static let restricted: [(name: String, allowed: Set<String>, why: String)] = [
        ("NetworkMode", ["", "default", "bridge", "none"], "a container has its own network only"),
        ("PidMode", ["", "private"], "a container has its own processes only"),
        ("IpcMode", ["", "none", "private", "shareable"], "a container has its own memory only"),
        ("UTSMode", ["", "private"], "a container has its own host name only"),
        ("CgroupnsMode", ["", "private"], "a container has its own control groups only"),
        ("UsernsMode", [""], "users of the host cannot be mapped"),
        ("Runtime", ["", "runc", "io.containerd.runc.v2"], "Azure chooses the runtime"),
        ("Isolation", ["", "default"], "Azure chooses the isolation"),
    ]

    /// moby v28, `daemon/daemon_unix.go`, `linuxMinMemory`.
    private static let minimumMemoryBytes = 6 << 20

    private static let unenforced = [
        "Memory", "MemoryReservation", "MemorySwap", "KernelMemory", "NanoCpus", "CpuShares", "CpuPeriod", "CpuQuota",
        "CpuRealtimePeriod", "CpuRealtimeRuntime", "CpusetCpus", "CpusetMems", "BlkioWeight", "PidsLimit", "ShmSize",
        "OomKillDisable", "OomScoreAdj",
    ]

    private static func checkRestartPolicy(_ host: JSON) throws(DockerError) {
        guard let name = try host["RestartPolicy"]?.string("Name"), !["", "no"].contains(name) else { return }
        guard ["always", "on-failure", "unless-stopped"].contains(name) else {
            throw .badParameter(
                "invalid restart policy: unknown policy '\(name)'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'"
            )
        }
        throw refusal("HostConfig.RestartPolicy \"\(name)\"", "a command runs once per start")
    }

    private static func checkNetworks(_ body: JSON) throws(DockerError) {
        guard case .object(let networks)? = body["NetworkingConfig"]?["EndpointsConfig"] else { return }
        for network in networks where !["default", "bridge", "none"].contains(network.name) {
            throw refusal("network \"\(network.name)\"", "a container has its own network only")
        }
        for network in networks {
            for field in ["IPAMConfig", "Links", "MacAddress"] where !(network.value[field] ?? .null).isZero {
                throw refusal(
                    "EndpointsConfig.\(network.name).\(field)", "the network of a Function App belongs to Azure")
            }
        }
    }

    private static func refusal(_ field: String, _ why: String) -> DockerError {
        .notImplemented("\(field) is not supported: \(why)")
    }
}

extension JSON {
    fileprivate var isObject: Bool {
        if case .object = self { true } else { false }
    }
}
