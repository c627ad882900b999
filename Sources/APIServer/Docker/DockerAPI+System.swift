import DesiredState
import Glibc
import HTTPTypes
import HummingbirdCore
import NIOCore

extension DockerAPI {
    func respond(to route: SystemRoute, _ exchange: Exchange, _ version: DockerVersion) async throws -> Response {
        switch route {
        case .ping: return ping(exchange)
        case .version: return versionReport()
        case .info: return try await info()
        case .events: return try await events(exchange, version)
        case .diskUsage: return try await diskUsage(exchange)
        case .login: return try await login(exchange)
        case .pull: return try await pull(exchange)
        case .images: return try await listImages(exchange)
        case .pruneImages: return try await pruneImages(exchange)
        case .image(let name, .json): return try await inspectImage(name)
        case .image(let name, .history): return try await imageHistory(name)
        case .image(let name, .tag): return try await tagImage(exchange, name)
        case .removeImage(let name): return try await removeImage(exchange, name)
        case .pruneContainers: return try await pruneContainers(exchange)
        // `docker system prune` ends with it, and fails where it is not answered.
        case .pruneBuildCache: return .json(["CachesDeleted": nil, "SpaceReclaimed": 0])
        case .networks, .pruneNetworks, .network, .removeNetwork: return try networks(route, exchange)
        case .volumes, .pruneVolumes, .createVolume, .updateVolume, .volume, .removeVolume:
            return try await volumes(route, exchange, version)
        case .plugins: return .json([])
        case .plugin(let name): throw DockerError(.notFound, "plugin \"\(name)\" not found")
        case .notCapable(let what): throw DockerError.notCapable(of: what)
        case .notImplemented(let operation, let hint): throw DockerError.notImplemented(operation, hint: hint)
        case .unknown: throw DockerError.pageNotFound
        }
    }

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
        let images = try await catalog().entries.count
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
            "RegistryConfig": [
                "IndexConfigs": [
                    "docker.io": ["Name": "docker.io", "Mirrors": [], "Secure": true, "Official": true]
                ], "InsecureRegistryCIDRs": [], "Mirrors": [],
            ],
            "Plugins": [
                "Volume": backend.hasVolumes ? ["local"] : [], "Network": ["bridge", "null"], "Authorization": nil,
                "Log": ["journald", "json-file", "local"],
            ],
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

extension DockerAPI {
    /// `GET /system/df`. Nothing of it takes space on this machine.
    private func diskUsage(_ exchange: Exchange) async throws -> Response {
        let kinds = exchange.query.pairs.filter { $0.name == "type" }.map(\.value)
        for kind in kinds where !["container", "image", "volume", "build-cache"].contains(kind) {
            throw DockerError.badParameter("unknown object type: \(kind)")
        }
        func isAsked(_ kind: String) -> Bool { kinds.isEmpty || kinds.contains(kind) }
        let catalog = try await catalog()
        let now = backend.clock()
        var containers: [JSON] = []
        if isAsked("container") {
            containers = try await backend.store.list(includingDeleted: false).records.reversed().map {
                ContainerSummary.json($0, imageDigest: catalog.id(of: $0.spec.image), now: now, withSize: true)
            }
        }
        return .json([
            "LayersSize": 0, "Images": isAsked("image") ? try await imageList(catalog) { _ in true } : [],
            "Containers": .array(containers), "Volumes": isAsked("volume") ? try await volumeUsage() : [],
            "BuildCache": [], "BuilderSize": 0,
        ])
    }

    /// `POST /auth`: tells whether the configured registry takes the credentials. They are not kept: what Azure pulls with belongs to the configuration.
    private func login(_ exchange: Exchange) async throws -> Response {
        let body = try await objectBody(exchange, upTo: exchange.limits.credentialBytes)
        let credentials = RegistryCredentials(
            server: try body.string("serveraddress") ?? "", user: try body.string("username") ?? "",
            password: try body.string("password") ?? "")
        guard let login = backend.registryLogin else {
            throw DockerError.loginBelongsToConfiguration(credentials.server)
        }
        let verdict: RegistryLoginVerdict
        do throws(ImageResolverError) {
            verdict = try await login.check(credentials)
        } catch {
            throw DockerError(.internalServerError, error.description)
        }
        switch verdict {
        case .accepted: return .json(["Status": "Login Succeeded", "IdentityToken": ""])
        case .refused:
            throw DockerError(
                .unauthorized,
                "login attempt to \(credentials.server) failed: unauthorized: incorrect username or password")
        case .otherRegistry(let configured):
            throw DockerError.notImplemented(
                "login to \(credentials.server)", hint: "the configured registry is \(configured)")
        }
    }
}

extension DockerError {
    /// The seeds' words for what a serverless backend cannot do.
    static func notCapable(of what: String) -> DockerError {
        .notImplemented(
            "This backend (\(BackendCapabilities.backend)) does not support \(what). CI runners require exec-capable backends (ecs, cloudrun, aca, docker)."
        )
    }

    fileprivate static func loginBelongsToConfiguration(_ server: String) -> DockerError {
        notImplemented(
            "login" + (server.isEmpty ? "" : " to \(server)"),
            hint:
                "no registry is configured to check it with, and what Azure pulls with belongs to the daemon's configuration: a registry with a managed identity, or app settings of the record"
        )
    }
}
