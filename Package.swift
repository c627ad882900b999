// swift-tools-version: 6.2
import PackageDescription

// Every target is built with these: Swift 6 mode, warnings as errors, and the language's upcoming defaults.
let house: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("InferIsolatedConformances"),
]

// lld relinks in 2 s where gold takes 6 to 11.
let linking: [LinkerSetting] = [.unsafeFlags(["-use-ld=lld"])]

// The agent is copied into any container, so it may need nothing there: glibc and the Swift runtime are inside.
let agentLinking: [LinkerSetting] = [
    .unsafeFlags(["-use-ld=lld", "-static-executable", "-Xlinker", "--gc-sections"])
]

let nio = "swift-nio"
let package = Package(
    name: "skls",
    products: [
        .executable(name: "skls", targets: ["skls"]),
        .executable(name: "skls-agent", targets: ["skls-agent"]),
        .executable(name: "sockerless-backend-azf", targets: ["sockerless-backend-azf"]),
        .executable(name: "sockerless-frontend-docker", targets: ["sockerless-frontend-docker"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-async-algorithms", from: "1.1.4"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.7.3"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2"),
    ],
    targets: [
        .target(
            name: "DesiredState",
            dependencies: [
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "NIOConcurrencyHelpers", package: nio),
                .product(name: "Yams", package: "Yams"),
            ], swiftSettings: house),
        .target(
            name: "AzureClient",
            dependencies: [
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOConcurrencyHelpers", package: nio),
                .product(name: "NIOCore", package: nio),
                .product(name: "NIOHTTP1", package: nio),
                .product(name: "NIOPosix", package: nio),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "SystemPackage", package: "swift-system"),
                .product(name: "X509", package: "swift-certificates"),
            ], swiftSettings: house),
        .target(name: "AgentProtocol", dependencies: ["CSHA256"], swiftSettings: house),
        .target(name: "CSHA256"),
        .target(name: "CAgentSpawn"),
        // The system's zlib, which NIOHTTPCompression links, too.
        .target(name: "CInflate", linkerSettings: [.linkedLibrary("z")]),
        .target(
            name: "AgentRuntime",
            dependencies: [
                "AgentProtocol", "CAgentSpawn",
                .product(name: "NIOCore", package: nio),
                .product(name: "NIOHTTP1", package: nio),
                .product(name: "NIOPosix", package: nio),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOWebSocket", package: nio),
            ], swiftSettings: house),
        .target(
            name: "AgentLink",
            dependencies: [
                "AgentProtocol",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOConcurrencyHelpers", package: nio),
                .product(name: "NIOCore", package: nio),
                .product(name: "NIOExtras", package: "swift-nio-extras"),
                .product(name: "NIOHTTP1", package: nio),
                .product(name: "NIOPosix", package: nio),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOWebSocket", package: nio),
                .product(name: "SystemPackage", package: "swift-system"),
            ], swiftSettings: house),
        .target(
            name: "Controller",
            dependencies: [
                "DesiredState", "AzureClient", "AgentProtocol", "AgentLink",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "HeapModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOConcurrencyHelpers", package: nio),
                .product(name: "NIOCore", package: nio),
                .product(name: "NIOPosix", package: nio),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "Tracing", package: "swift-distributed-tracing"),
            ], swiftSettings: house),
        .target(
            name: "APIServer",
            dependencies: [
                "DesiredState", "AgentProtocol", "AgentLink", "CInflate",
                .product(name: "AsyncAlgorithms", package: "swift-async-algorithms"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOConcurrencyHelpers", package: nio),
                .product(name: "NIOCore", package: nio),
                .product(name: "NIOExtras", package: "swift-nio-extras"),
                .product(name: "NIOFoundationCompat", package: nio),
                .product(name: "NIOHTTP1", package: nio),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
                .product(name: "NIOPosix", package: nio),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ], swiftSettings: house),
        .target(
            name: "AzureSimulator",
            dependencies: [
                .product(name: "AsyncAlgorithms", package: "swift-async-algorithms"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOConcurrencyHelpers", package: nio),
                .product(name: "NIOCore", package: nio),
                .product(name: "NIOEmbedded", package: nio),
                .product(name: "NIOFoundationCompat", package: nio),
                .product(name: "NIOHTTP1", package: nio),
                .product(name: "NIOHTTPCompression", package: "swift-nio-extras"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "SwiftASN1", package: "swift-asn1"),
                .product(name: "SystemPackage", package: "swift-system"),
                .product(name: "X509", package: "swift-certificates"),
            ], swiftSettings: house),
        // The production controller against the World under virtual time. Nothing that is shipped depends on it.
        .target(
            name: "Simulation",
            dependencies: [
                "DesiredState", "AzureClient", "AgentProtocol", "AgentLink", "Controller", "AzureSimulator",
                .product(name: "HeapModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOConcurrencyHelpers", package: nio),
                .product(name: "NIOCore", package: nio),
                .product(name: "NIOHTTP1", package: nio),
                .product(name: "SystemPackage", package: "swift-system"),
            ], swiftSettings: house),
        .target(
            name: "RecordsClient",
            dependencies: [
                "DesiredState",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: nio),
                .product(name: "NIOFoundationCompat", package: nio),
                .product(name: "NIOHTTP1", package: nio),
            ], swiftSettings: house),
        .target(
            name: "Daemon",
            dependencies: [
                "DesiredState", "AzureClient", "AgentProtocol", "AgentLink", "Controller", "APIServer",
                "AzureSimulator",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOConcurrencyHelpers", package: nio),
                .product(name: "NIOCore", package: nio),
                .product(name: "NIOPosix", package: nio),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "SystemPackage", package: "swift-system"),
                .product(name: "Tracing", package: "swift-distributed-tracing"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ], swiftSettings: house),
        .executableTarget(
            name: "skls",
            dependencies: [
                "Daemon", "RecordsClient", "AzureSimulator", "DesiredState",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Yams", package: "Yams"),
            ], swiftSettings: house, linkerSettings: linking),
        .executableTarget(
            name: "sockerless-backend-azf",
            dependencies: [
                "Daemon", .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ], swiftSettings: house, linkerSettings: linking),
        .executableTarget(
            name: "sockerless-frontend-docker",
            dependencies: [
                "Daemon", .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ], swiftSettings: house, linkerSettings: linking),
        .executableTarget(
            name: "skls-agent", dependencies: ["AgentRuntime"], swiftSettings: house, linkerSettings: agentLinking),
        // Figures of the client; `scripts/bench` runs it.
        .executableTarget(
            name: "azure-client-benchmark",
            dependencies: ["AzureClient", .product(name: "Logging", package: "swift-log")],
            path: "Benchmarks/AzureClient", swiftSettings: house, linkerSettings: linking),
        // Figures of the controller at scale under virtual time; `make bench-scale` runs it, and the tests a small one.
        .target(
            name: "ScaleBenchmark",
            dependencies: [
                "Controller", "DesiredState", .product(name: "HeapModule", package: "swift-collections"),
            ], path: "Benchmarks/Scale/Model", swiftSettings: house),
        .executableTarget(
            name: "scale-benchmark", dependencies: ["ScaleBenchmark", "Controller", "DesiredState"],
            path: "Benchmarks/Scale/Command", swiftSettings: house, linkerSettings: linking),
        .executableTarget(
            name: "skls-simulation",
            dependencies: ["Simulation", .product(name: "ArgumentParser", package: "swift-argument-parser")],
            path: "Benchmarks/Simulation", swiftSettings: house, linkerSettings: linking),
        .testTarget(
            name: "DesiredStateTests", dependencies: ["DesiredState"], swiftSettings: house, linkerSettings: linking),
        .testTarget(
            name: "AzureClientTests",
            dependencies: [
                "AzureClient", "AzureSimulator",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOConcurrencyHelpers", package: nio),
                .product(name: "NIOCore", package: nio),
                .product(name: "NIOHTTP1", package: nio),
                .product(name: "NIOPosix", package: nio),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "SwiftASN1", package: "swift-asn1"),
                .product(name: "X509", package: "swift-certificates"),
            ], swiftSettings: house, linkerSettings: linking),
        .testTarget(
            name: "AgentTests",
            dependencies: [
                "AgentProtocol", "AgentRuntime", "AgentLink",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOConcurrencyHelpers", package: nio),
                .product(name: "NIOCore", package: nio),
                .product(name: "NIOEmbedded", package: nio),
                .product(name: "NIOHTTP1", package: nio),
                .product(name: "NIOPosix", package: nio),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOWebSocket", package: nio),
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "SwiftASN1", package: "swift-asn1"),
                .product(name: "SystemPackage", package: "swift-system"),
                .product(name: "X509", package: "swift-certificates"),
            ], swiftSettings: house, linkerSettings: linking),
        .testTarget(
            name: "ControllerTests", dependencies: ["Controller", "ScaleBenchmark"], swiftSettings: house,
            linkerSettings: linking),
        .testTarget(
            name: "APIServerTests",
            dependencies: [
                "APIServer", "RecordsClient", "DesiredState", "AgentProtocol", "AgentLink",
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOConcurrencyHelpers", package: nio),
                .product(name: "NIOCore", package: nio),
                .product(name: "NIOEmbedded", package: nio),
                .product(name: "NIOPosix", package: nio),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "SystemPackage", package: "swift-system"),
                .product(name: "Yams", package: "Yams"),
            ], swiftSettings: house, linkerSettings: linking),
        .testTarget(
            name: "DaemonTests",
            dependencies: [
                "AgentLink", "AzureClient", "AzureSimulator", "Controller", "Daemon", "DesiredState",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOConcurrencyHelpers", package: nio),
                .product(name: "Tracing", package: "swift-distributed-tracing"),
            ], swiftSettings: house, linkerSettings: linking),
        .testTarget(
            name: "AzureSimulatorTests",
            dependencies: [
                "AgentLink", "AgentProtocol", "AzureClient", "AzureSimulator", "Controller", "DesiredState",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOConcurrencyHelpers", package: nio),
                .product(name: "NIOCore", package: nio),
                .product(name: "NIOEmbedded", package: nio),
                .product(name: "NIOHTTP1", package: nio),
                .product(name: "NIOPosix", package: nio),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "SwiftASN1", package: "swift-asn1"),
                .product(name: "X509", package: "swift-certificates"),
            ], swiftSettings: house, linkerSettings: linking),
        .testTarget(
            name: "SimulationTests", dependencies: ["Controller", "Simulation"], swiftSettings: house,
            linkerSettings: linking),
        .testTarget(
            name: "IntegrationTests",
            dependencies: [
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOConcurrencyHelpers", package: nio),
                .product(name: "NIOCore", package: nio),
                .product(name: "NIOHTTP1", package: nio),
                .product(name: "NIOPosix", package: nio),
            ], swiftSettings: house, linkerSettings: linking),
        .testTarget(name: "RepositoryTests", swiftSettings: house, linkerSettings: linking),
    ]
)
