import DesiredState
import Glibc
import HTTPTypes
import HummingbirdCore
import NIOCore

extension DockerAPI {
    /// `GET|HEAD /_ping`: what clients negotiate the version with.
    func ping(_ exchange: Exchange) -> Response {
        Response(
            status: .ok,
            headers: [
                .contentType: "text/plain; charset=utf-8", .cacheControl: "no-cache, no-store, must-revalidate",
                .pragma: "no-cache", .builderVersion: "1", .swarm: "inactive",
            ], body: .init(byteBuffer: .init(string: exchange.method == .head ? "" : "OK")))
    }

    func versionReport() -> Response {
        let version = JSON.string(backend.configuration.version)
        let system = SystemFacts.current
        let details: JSON = [
            "ApiVersion": .string(DockerVersion.newest.description),
            "MinAPIVersion": .string(DockerVersion.oldest.description), "GitCommit": "", "GoVersion": "",
            "Os": "linux", "Arch": "amd64", "KernelVersion": .string(system.kernel), "BuildTime": "",
        ]
        let component: JSON = ["Name": "Engine", "Version": version, "Details": details]
        return .json(
            JSON.object([
                .init(name: "Platform", value: ["Name": "skls: containers as Azure Function Apps"]),
                .init(name: "Components", value: .array([component])), .init(name: "Version", value: version),
            ]).merging(details))
    }

    func info() async throws -> Response {
        let records = try await backend.store.list(includingDeleted: false).records
        let states = records.map { ContainerState($0).isRunning }
        let running = states.count { $0 }
        let images = Set(records.map(\.spec.image.canonical)).count
        let system = SystemFacts.current
        return .json([
            "ID": .string(backend.store.instance.text), "Name": .string(system.hostName),
            "Containers": .number(records.count), "ContainersRunning": .number(running), "ContainersPaused": 0,
            "ContainersStopped": .number(records.count - running), "Images": .number(images),
            "Driver": "azure-functions", "DriverStatus": [], "Debug": false, "OSType": "linux",
            "Architecture": "x86_64", "OperatingSystem": "Azure Functions (skls)",
            "KernelVersion": .string(system.kernel), "NCPU": .number(system.processors),
            "MemTotal": .number(system.memoryBytes), "ServerVersion": .string(backend.configuration.version),
            "IndexServerAddress": "https://index.docker.io/v1/",
            "RegistryConfig": ["IndexConfigs": [:], "InsecureRegistryCIDRs": [], "Mirrors": []],
            "Plugins": ["Volume": [], "Network": ["bridge", "null"], "Authorization": nil, "Log": ["json-file"]],
            // moby's tests skip their control-group cases on this value.
            "CgroupDriver": "none", "CgroupVersion": "2", "LoggingDriver": "json-file", "DefaultRuntime": "runc",
            "Runtimes": ["runc": ["path": "runc"]], "Swarm": ["LocalNodeState": "inactive", "NodeID": ""],
            "LiveRestoreEnabled": true, "Isolation": "", "InitBinary": "skls-agent", "SecurityOptions": [],
            "ExperimentalBuild": false, "HttpProxy": "", "HttpsProxy": "", "NoProxy": "", "Labels": [],
            "SystemTime": .string(backend.clock().rfc3339(fractionDigits: 9)), "NGoroutines": 0, "NFd": 0,
            "NEventsListener": 0, "MemoryLimit": false, "SwapLimit": false, "PidsLimit": false,
            "CPUShares": false, "CPUSet": false, "CpuCfsPeriod": false, "CpuCfsQuota": false,
            "OomKillDisable": false, "IPv4Forwarding": true, "DockerRootDir": "", "Warnings": [],
        ])
    }
}

/// What Docker's clients ask about the machine. It is the daemon's: containers run elsewhere.
struct SystemFacts: Sendable {
    let kernel: String
    let hostName: String
    let processors: Int
    let memoryBytes: Int

    static let current = SystemFacts()

    private init() {
        var name = utsname()
        uname(&name)
        kernel = SystemFacts.text(of: &name.release)
        hostName = SystemFacts.text(of: &name.nodename)
        processors = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        memoryBytes = max(0, sysconf(Int32(_SC_PHYS_PAGES))) * max(0, sysconf(Int32(_SC_PAGESIZE)))
    }

    private static func text<Field>(of field: inout Field) -> String {
        withUnsafeBytes(of: &field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}

/// The networks and volumes that clients find before they ask for any.
enum Predefined {
    static let networks: JSON = .array([network(named: "bridge"), network(named: "none")])
    static let volumes: JSON = ["Volumes": [], "Warnings": nil]

    static func network(_ reference: String) throws(DockerError) -> JSON {
        guard ["bridge", "none"].contains(reference) else {
            throw DockerError(.notFound, "network \(reference) not found")
        }
        return network(named: reference)
    }

    private static func network(named name: String) -> JSON {
        [
            "Name": .string(name), "Id": .string(name), "Created": "0001-01-01T00:00:00Z", "Scope": "local",
            "Driver": .string(name == "bridge" ? "bridge" : "null"), "EnableIPv4": true, "EnableIPv6": false,
            "IPAM": ["Driver": "default", "Options": nil, "Config": []], "Internal": false, "Attachable": false,
            "Ingress": false, "ConfigFrom": ["Network": ""], "ConfigOnly": false, "Containers": [:], "Options": [:],
            "Labels": [:],
        ]
    }
}
