/// The name of a volume, in Docker's grammar (moby v28, `daemon/names`: `[a-zA-Z0-9][a-zA-Z0-9_.-]+`), at most 255 bytes.
package struct VolumeName: Hashable, Sendable, Comparable {
    package let text: String

    /// `nil` when the text is not in the grammar.
    package init?(_ text: some StringProtocol) {
        guard text.utf8.count >= 2, let name = RecordName(text) else { return nil }
        self.text = name.text
    }

    package static func < (left: VolumeName, right: VolumeName) -> Bool { left.text < right.text }
}

extension VolumeName: TextCodable, CustomStringConvertible {
    package init?(codedText: String) { self.init(codedText) }
    package var codedText: String { text }
    package var description: String { text }
}

/// A named share that containers mount. What is stored is the intent and how far it has come: a share is made and deleted only after that was
/// written here.
package struct Volume: Hashable, Sendable, Codable {
    /// Its exits: creating → ready, or gone if Azure will not have it; ready → removing; removing → gone.
    package enum Phase: String, Hashable, Sendable, Codable, CaseIterable {
        /// The share is being made: it may be there or not.
        case creating = "Creating"
        /// The share was seen, with our marks.
        case ready = "Ready"
        /// The share is being deleted: nothing calls that off.
        case removing = "Removing"
    }

    package let name: VolumeName
    /// 64 hex digits, drawn when the volume was asked for. It stands among the share's marks, so that an older copy of a store cannot take a later
    /// share of the same name for its own.
    package var id: UID
    package let labels: [String: String]
    /// As the driver was given them.
    package let options: [String: String]
    package let createdAt: Instant
    /// The storage account that the share is in.
    package let account: String
    package let share: String
    package var phase: Phase
    /// Why it is not further, as one CamelCase word; empty when nothing is in the way.
    package var reason: String
    package var message: String
    /// Rises with each write.
    package var generation: Int64
    /// It goes when this record is gone: of a container that is removed with its anonymous volumes, or that was never made.
    package var endsWith: UID?

    package init(
        name: VolumeName, id: UID, labels: [String: String] = [:], options: [String: String] = [:], createdAt: Instant,
        account: String, share: String, phase: Phase = .creating, reason: String = "", message: String = "",
        generation: Int64 = 1, endsWith: UID? = nil
    ) {
        self.name = name
        self.id = id
        self.labels = labels
        self.options = options
        self.createdAt = createdAt
        self.account = account
        self.share = share
        self.phase = phase
        self.reason = reason
        self.message = message
        self.generation = generation
        self.endsWith = endsWith
    }

    /// Docker's mark of volumes that nobody named (moby v28, `daemon/volume/service`).
    package static let anonymousLabel = "com.docker.volume.anonymous"

    package var isAnonymous: Bool { labels[Volume.anonymousLabel] != nil }

    /// The share's size in GiB, by the option `size`; `nil` = Azure's default.
    package var sizeGiB: Int? { options["size"].flatMap { Volume.gibibytes($0) } }

    /// Whole GiB within Azure's bounds for a share (1 to 102,400; Azure REST, "File Shares - Create", read 2026-11): `10`, `10g`, `10GiB`, `1t`.
    package static func gibibytes(_ text: String) -> Int? {
        let lower = text.lowercased()
        let digits = lower.prefix { $0.isASCII && $0.isNumber }
        let unit = lower.dropFirst(digits.count)
        guard let number = Int(digits), number > 0, number <= 102_400 else { return nil }
        switch unit {
        case "", "g", "gb", "gib": return number
        case "t", "tb", "tib": return number <= 100 ? number * 1024 : nil
        default: return nil
        }
    }
}

/// Where a container sees a volume.
package struct VolumeMount: Hashable, Sendable, Codable {
    package var name: VolumeName
    /// Absolute, without a slash at the end.
    package var mountPath: String

    package init(name: VolumeName, mountPath: String) {
        self.name = name
        self.mountPath = mountPath
    }

    /// App Service mounts no more into one app (Azure docs, configure-connect-to-azure-storage, read 2026-11).
    package static let maximumCount = 5

    /// The path without doubled and last slashes; `.` and `..` are resolved.
    package static func cleaned(_ path: String) -> String {
        var parts: [Substring] = []
        for part in path.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return "/" + parts.joined(separator: "/")
    }

    /// Why nothing can be mounted at a cleaned path; `nil` when it can.
    ///
    /// `/`, `/home` and `/tmp` by the same page of Azure's; below `/home` by the Functions' own (Azure/Azure-Functions wiki, "Bring your own storage",
    /// read 2026-11); the others are the platform's or the agent's.
    package static func refusal(of path: String) -> String? {
        if path == "/" { return "nothing can be mounted on /" }
        if path.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) { return "a mount path has no control characters" }
        if path.utf8.count > 255 { return "a mount path has at most 255 bytes" }
        let top = path.dropFirst().prefix { $0 != "/" }
        switch top {
        case "home": return "App Service mounts nothing on /home or below it: take another path, such as /data"
        case "tmp":
            return
                "a mount on /tmp or below it keeps the container from starting on App Service: take another path, such as /data"
        case "proc", "sys", "dev": return "/\(top) belongs to the platform: take another path, such as /data"
        case ".skls": return "/.skls belongs to the agent: take another path, such as /data"
        default: return nil
        }
    }
}

/// What is wanted of a new volume.
package struct VolumeRequest: Hashable, Sendable {
    package var name: VolumeName
    package var labels: [String: String]
    package var options: [String: String]
    package var endsWith: UID?

    package init(
        name: VolumeName, labels: [String: String] = [:], options: [String: String] = [:], endsWith: UID? = nil
    ) {
        self.name = name
        self.labels = labels
        self.options = options
        self.endsWith = endsWith
    }
}

/// Why a volume is not as it was asked to be.
package struct VolumeError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Code: Hashable, Sendable {
        case notFound
        case inUse([UID])
        /// It is being removed, or its share is somebody else's.
        case conflict
        /// Azure refused it, or the store is frozen.
        case refused
        /// It goes on, and may be asked about again.
        case pending
        /// Nobody can be asked.
        case unavailable
        case cancelled
    }

    package let code: Code
    package let description: String

    package init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }
}
