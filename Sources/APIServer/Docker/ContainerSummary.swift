import DesiredState

/// One element of `GET /containers/json`. Pure.
enum ContainerSummary {
    static func json(_ record: FunctionApp, imageDigest: String?, now: Instant, withSize: Bool) -> JSON {
        let state = ContainerState(record)
        let words = record.spec.command + record.spec.args
        var summary: JSON = [
            "Id": .string(record.uid.text), "Names": .array([.string("/\(record.metadata.name)")]),
            "Image": .string(record.spec.image.text),
            "ImageID": .string(imageDigest ?? record.spec.image.canonical),
            "Command": .string(commandText(words)),
            "Created": .number(record.metadata.creationTimestamp.unixSeconds), "Ports": [],
            "Labels": .stringMap(record.metadata.labels), "State": .string(state.status.rawValue),
            "Status": .string(statusText(state, now: now)), "HostConfig": ["NetworkMode": "bridge"],
            "NetworkSettings": ["Networks": ["bridge": ["NetworkID": .string(PredefinedNetwork.bridge.id)]]],
            "Mounts": record.spec.volumes.isEmpty ? [] : VolumeReport.mounts(record, DockerConfiguration(record)),
        ]
        if withSize { summary = summary.merging(["SizeRw": 0, "SizeRootFs": 0]) }
        return summary
    }

    /// Arguments with a space stand in quotes, the program does not (moby v28, `container/view.go`; recorded from docker 28.5.2).
    private static func commandText(_ words: [String]) -> String {
        let arguments = words.dropFirst().map { $0.contains(" ") ? "'\($0)'" : $0 }
        return (words.prefix(1) + arguments).joined(separator: " ")
    }

    /// moby v28, `container/state.go`.
    static func statusText(_ state: ContainerState, now: Instant) -> String {
        switch state.status {
        case .created: "Created"
        case .removing: "Removal In Progress"
        case .running: "Up " + HumanDuration.text(now - (state.startedAt ?? now))
        case .exited:
            "Exited (\(state.exitCode)) " + HumanDuration.text(now - (state.finishedAt ?? now)) + " ago"
        }
    }
}

/// Docker's words for time spans (docker/go-units v0.5, `duration.go`).
enum HumanDuration {
    static func text(_ duration: Duration) -> String {
        let seconds = max(0, duration.components.seconds)
        let minutes = seconds / 60
        let hours = Int64((Double(seconds) / 3600).rounded())
        switch true {
        case seconds < 1: return "Less than a second"
        case seconds == 1: return "1 second"
        case seconds < 60: return "\(seconds) seconds"
        case minutes == 1: return "About a minute"
        case minutes < 60: return "\(minutes) minutes"
        case hours == 1: return "About an hour"
        case hours < 48: return "\(hours) hours"
        case hours < 24 * 7 * 2: return "\(hours / 24) days"
        case hours < 24 * 30 * 2: return "\(hours / 24 / 7) weeks"
        case hours < 24 * 365 * 2: return "\(hours / 24 / 30) months"
        default: return "\(hours / 24 / 365) years"
        }
    }
}
