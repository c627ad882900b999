import DesiredState

/// `GET /containers/{id}/json` of a record. Pure; every field that clients were seen to need is always there.
enum ContainerInspect {
    /// Go's zero time: "never".
    static let never = "0001-01-01T00:00:00Z"

    /// `imageDigest` as the registry gave it at pull, if it was asked.
    /// `execs`: commands beside the run that have not ended.
    static func json(_ record: FunctionApp, imageDigest: String?, execs: [String] = []) -> JSON {
        let state = ContainerState(record)
        let docker = DockerConfiguration(record)
        let words = record.spec.command + record.spec.args
        let image = imageDigest ?? record.spec.image.canonical
        return [
            "Id": .string(record.uid.text),
            "Created": .string(record.metadata.creationTimestamp.rfc3339(fractionDigits: 9)),
            "Path": .string(words.first ?? ""), "Args": .strings(words.dropFirst()),
            "State": stateJSON(record, state), "Image": .string(image),
            "ResolvConfPath": "", "HostnamePath": "", "HostsPath": "", "LogPath": "",
            "Name": .string("/\(record.metadata.name)"), "RestartCount": 0, "Driver": "azure-functions",
            "Platform": "linux", "MountLabel": "", "ProcessLabel": "", "AppArmorProfile": "",
            "ExecIDs": execs.isEmpty ? nil : .strings(execs),
            "HostConfig": hostConfig(record, docker), "GraphDriver": ["Name": "azure-functions", "Data": nil],
            "Mounts": VolumeReport.mounts(record, docker), "Config": config(record, docker),
            "NetworkSettings": networkSettings,
        ]
    }

    private static func stateJSON(_ record: FunctionApp, _ state: ContainerState) -> JSON {
        [
            "Status": .string(state.status.rawValue), "Running": .bool(state.isRunning), "Paused": false,
            "Restarting": false, "OOMKilled": false, "Dead": false,
            // A process elsewhere has no number here; 0 would mean that it is not running.
            "Pid": state.isRunning ? 1 : 0, "ExitCode": .number(state.exitCode), "Error": .string(state.error),
            "StartedAt": time(state.startedAt), "FinishedAt": time(state.finishedAt),
        ]
    }

    private static func time(_ instant: Instant?) -> JSON {
        .string(instant?.rfc3339(fractionDigits: 9) ?? never)
    }

    /// As created, over defaults: docker-py reads `LogConfig.Type`, aiodocker `Tty`, and both fail without.
    private static func hostConfig(_ record: FunctionApp, _ docker: DockerConfiguration) -> JSON {
        let defaults: JSON = [
            "NetworkMode": "bridge", "RestartPolicy": ["Name": "no", "MaximumRetryCount": 0], "Binds": nil,
            "Privileged": false, "PortBindings": [:],
            "AutoRemove": .bool(record.spec.run.ttlSecondsAfterFinished == 0),
        ]
        var config = defaults.merging(docker.hostConfig).merging([
            "LogConfig": LogDriver.shown(docker.hostConfig, keepsLog: record.keepsLog)
        ])
        // What clients leave empty, and what it means.
        for (name, meaning) in [("NetworkMode", "bridge"), ("IpcMode", "private"), ("CgroupnsMode", "private")] {
            if case .string(let mode)? = config[name], !["", "default"].contains(mode) { continue }
            config = config.merging([name: .string(meaning)])
        }
        return config
    }

    private static func config(_ record: FunctionApp, _ docker: DockerConfiguration) -> JSON {
        let spec = record.spec
        let defaults: JSON = [
            "Hostname": .string(String(record.uid.short)), "Domainname": "", "AttachStdin": false,
            "AttachStdout": false, "AttachStderr": false, "StdinOnce": false, "Volumes": nil, "OnBuild": nil,
        ]
        var own: JSON = [
            "User": .string(spec.user ?? ""), "Tty": .bool(spec.tty), "OpenStdin": .bool(spec.stdin),
            "Env": .strings(docker.removedVariables + spec.env.map { $0.name + "=" + $0.value }),
            "Image": .string(spec.image.text),
            "Cmd": spec.args.isEmpty ? nil : .strings(spec.args),
            "Entrypoint": spec.command.isEmpty ? nil : .strings(spec.command),
            "WorkingDir": .string(spec.workingDir ?? ""), "Labels": .stringMap(record.metadata.labels),
        ]
        if case .string(let name)? = docker.config["Hostname"], name.isEmpty {
            own = own.merging(["Hostname": .string(String(record.uid.short))])
        }
        return defaults.merging(docker.config).merging(own)
    }

    private static let networkSettings: JSON = [
        "Bridge": "", "SandboxID": "", "SandboxKey": "", "Ports": [:], "HairpinMode": false,
        "LinkLocalIPv6Address": "", "LinkLocalIPv6PrefixLen": 0, "SecondaryIPAddresses": nil,
        "SecondaryIPv6Addresses": nil, "EndpointID": "", "Gateway": "", "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0, "IPAddress": "", "IPPrefixLen": 0, "IPv6Gateway": "", "MacAddress": "",
        "Networks": [
            "bridge": [
                "IPAMConfig": nil, "Links": nil, "Aliases": nil, "MacAddress": "", "DriverOpts": nil, "GwPriority": 0,
                "NetworkID": .string(PredefinedNetwork.bridge.id), "EndpointID": "", "Gateway": "", "IPAddress": "",
                "IPPrefixLen": 0,
                "IPv6Gateway": "", "GlobalIPv6Address": "", "GlobalIPv6PrefixLen": 0, "DNSNames": nil,
            ]
        ],
    ]
}
