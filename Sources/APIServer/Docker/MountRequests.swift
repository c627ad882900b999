import DesiredState
import HTTPTypes

/// What a create body asks to have mounted, in `HostConfig.Binds`, `HostConfig.Mounts` and `Volumes`. Volumes alone can be had: the rest is refused by
/// name, with what to use in its place.
struct MountRequests: Hashable, Sendable {
    struct Mount: Hashable, Sendable {
        /// `nil` = a volume of its own, which goes with the container where that is asked for.
        var name: VolumeName?
        /// Absolute, as ``VolumeMount/cleaned(_:)`` makes it.
        var path: String
        /// Of a volume that is made for it.
        var labels: [String: String] = [:]
        var options: [String: String] = [:]
    }

    /// In the order in which they came, binds first.
    private(set) var mounts: [Mount] = []

    /// Throws Docker's refusals (moby v28, `daemon/volume/mounts/linux_parser.go`; recorded from docker 28.5.2) and ours.
    init(body: JSON, host: JSON) throws(DockerError) {
        for spec in try host.strings("Binds") { try add(try MountRequests.bind(spec)) }
        switch host["Mounts"] {
        case nil, .null: break
        case .array(let items): for item in items { try add(try MountRequests.mount(item)) }
        case .some(let other): throw .badParameter("invalid JSON: cannot use a \(other.kind) for the field Mounts")
        }
        if case .object(let volumes)? = body["Volumes"] {
            for volume in volumes {
                let path = try MountRequests.path(volume.name, "invalid volume specification: '\(volume.name)'")
                // What is bound there already takes its place.
                if !mounts.contains(where: { $0.path == path }) { try add(Mount(path: path)) }
            }
        }
        // Where nothing is mounted it means nothing.
        if !mounts.isEmpty { try VolumeOptions.checkDriver(try host.string("VolumeDriver") ?? "", of: nil) }
        guard mounts.count <= VolumeMount.maximumCount else {
            throw .notImplemented(
                "\(mounts.count) mounts are not supported: App Service mounts at most \(VolumeMount.maximumCount) shares into a Function App; put the files of several volumes into folders of one"
            )
        }
    }

    private mutating func add(_ mount: Mount) throws(DockerError) {
        guard !mounts.contains(where: { $0.path == mount.path }) else {
            throw .badParameter("Duplicate mount point: \(mount.path)")
        }
        if let refusal = VolumeMount.refusal(of: mount.path) {
            throw .notImplemented("a mount on \(mount.path) is not supported: \(refusal)")
        }
        mounts.append(mount)
    }

    // MARK: binds

    /// `NAME:PATH[:MODE]`, or `PATH` alone.
    private static func bind(_ spec: String) throws(DockerError) -> Mount {
        let invalid = "invalid volume specification: '\(spec)'"
        let parts = spec.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count <= 3, !parts.contains("") else { throw .badParameter(invalid) }
        if parts.count == 1 { return Mount(path: try path(parts[0], invalid)) }
        if parts.count == 3 { try checkMode(parts[2], spec) }
        guard !parts[0].hasPrefix("/") else { throw hostFiles("HostConfig.Binds \"\(spec)\"", at: parts[1]) }
        let path = try path(parts[1], invalid)
        return Mount(name: try VolumeOptions.name(parts[0]), path: path)
    }

    private static func path(_ text: String, _ invalid: String) throws(DockerError) -> String {
        guard text.hasPrefix("/") else {
            throw .badParameter(
                invalid
                    + ": invalid mount config for type \"volume\": invalid mount path: '\(text)' mount path must be absolute"
            )
        }
        let path = VolumeMount.cleaned(text)
        guard path != "/" else {
            throw .badParameter(
                invalid + ": invalid mount config for type \"volume\": invalid specification: destination can't be '/'")
        }
        return path
    }

    private static func checkMode(_ text: String, _ spec: String) throws(DockerError) {
        let modes = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        // Labels of SELinux mean nothing here, and nothing is ever copied into a share.
        guard modes.allSatisfy({ ["rw", "ro", "z", "Z", "nocopy"].contains($0) }) else {
            throw .badParameter("invalid mode: \(text)")
        }
        if modes.contains("ro") { throw readOnly("HostConfig.Binds \"\(spec)\"") }
    }

    /// `AzureStorageInfoValue` has no field for it (Microsoft.Web 2025-03-01), and App Service mounts shares of Azure Files for reading and writing (Azure
    /// docs, configure-connect-to-azure-storage, read 2026-11). A container has no right to change its mounts, so the agent cannot make up for it.
    private static func readOnly(_ field: String) -> DockerError {
        .notImplemented(
            "\(field) is not supported: App Service mounts shares for reading and writing only; mount it without read-only, or give the container a volume with a copy"
        )
    }

    private static func hostFiles(_ field: String, at path: String) -> DockerError {
        .notImplemented(
            "\(field) is not supported: a Function App does not see this machine's files; use a named volume (-v NAME:\(path)), and docker cp to put files into it"
        )
    }

    // MARK: mounts

    private static func mount(_ item: JSON) throws(DockerError) -> Mount {
        guard case .object = item else {
            throw .badParameter("invalid JSON: cannot use a \(item.kind) for the field Mounts")
        }
        let source = try item.string("Source") ?? ""
        let target = try item.string("Target") ?? ""
        switch try item.string("Type") ?? "" {
        case "volume": break
        case "bind": throw hostFiles("a mount of type bind (\(source))", at: target)
        case "tmpfs":
            throw .notImplemented(
                "a mount of type tmpfs is not supported: App Service mounts shares only; the container's own files, such as /tmp, go with it"
            )
        case let type:
            throw .notImplemented("a mount of type \(type.isEmpty ? "\"\"" : type) is not supported: use a volume")
        }
        let invalid = "invalid mount config for type \"volume\": "
        guard !target.isEmpty else { throw .badParameter(invalid + "field Target must not be empty") }
        guard target.hasPrefix("/") else {
            throw .badParameter(invalid + "invalid mount path: '\(target)' mount path must be absolute")
        }
        let path = VolumeMount.cleaned(target)
        guard path != "/" else {
            throw .badParameter(invalid + "invalid specification: destination can't be '/'")
        }
        if try item.bool("ReadOnly") { throw readOnly("a read-only mount on \(path)") }
        var mount = Mount(name: source.isEmpty ? nil : try VolumeOptions.name(source), path: path)
        guard let options = item["VolumeOptions"], !options.isNull else { return mount }
        if let folder = try options.string("Subpath"), !folder.isEmpty {
            throw .notImplemented(
                "VolumeOptions.Subpath is not supported: App Service mounts whole shares; use the folder below \(path)")
        }
        mount.labels = try VolumeOptions.map(options, "Labels")
        if let driver = options["DriverConfig"], !driver.isNull {
            try VolumeOptions.checkDriver(try driver.string("Name") ?? "", of: source)
            mount.options = try VolumeOptions.map(driver, "Options")
            try VolumeOptions.check(mount.options, of: source)
        }
        return mount
    }
}

/// What can be said about a volume, with Docker's complaints (recorded from docker 28.5.2).
enum VolumeOptions {
    static func name(_ text: String) throws(DockerError) -> VolumeName {
        if let name = VolumeName(text) { return name }
        guard text.utf8.count > 1 else {
            throw .badParameter(
                "create \(text): volume name is too short, names should be at least two alphanumeric characters")
        }
        throw .badParameter(
            "create \(text): \"\(text)\" includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path"
        )
    }

    /// - Parameter volume: `nil` = no volume is known to be meant.
    static func checkDriver(_ driver: String, of volume: String?) throws(DockerError) {
        guard !["", "local"].contains(driver) else { return }
        let what = volume.map { "create \($0): " } ?? ""
        throw DockerError(
            .notFound, "\(what)error looking up volume plugin \(driver): plugin \"\(driver)\" not found")
    }

    /// A size alone means something to a share; the other options of Docker's driver are of the host's file systems.
    static func check(_ options: [String: String], of volume: String) throws(DockerError) {
        for (name, value) in options.sorted(by: { $0.key < $1.key }) {
            switch name {
            case "size":
                guard Volume.gibibytes(value) != nil else {
                    throw .badParameter("create \(volume): invalid size \"\(value)\": 1 to 102400 GiB, such as 10g")
                }
            case "type", "o", "device":
                throw .notImplemented(
                    "create \(volume): the option \(name) is not supported: a volume is a share of Azure Files; only size can be chosen"
                )
            default: throw .badParameter("create \(volume): invalid option: \"\(name)\"")
            }
        }
    }

    static func map(_ body: JSON, _ name: String) throws(DockerError) -> [String: String] {
        switch body[name] {
        case nil, .null: return [:]
        case .object(let members):
            var map: [String: String] = [:]
            for member in members {
                guard case .string(let text) = member.value else {
                    throw .badParameter(
                        "invalid JSON: cannot use a \(member.value.kind) for the field \(name).\(member.name), which is of type string"
                    )
                }
                map[member.name] = text
            }
            return map
        case .some(let other):
            throw .badParameter(
                "invalid JSON: cannot use a \(other.kind) for the field \(name), which is of type object")
        }
    }
}
