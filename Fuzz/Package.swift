// swift-tools-version: 6.2
import PackageDescription

// Fuzzers of the two parsers that read what strangers write. A package of its own: their sources are links to the
// real ones, compiled anew with libFuzzer's and the address sanitizer's instruments. `scripts/fuzz` builds and runs it.
let instruments = ["-sanitize=fuzzer,address"]
let fuzzing: [SwiftSetting] = [
    .swiftLanguageMode(.v6), .enableUpcomingFeature("InternalImportsByDefault"),
    .unsafeFlags(instruments + ["-parse-as-library"]),
]
let linking: [LinkerSetting] = [.unsafeFlags(instruments + ["-use-ld=lld"])]

let package = Package(
    name: "fuzz",
    dependencies: [.package(url: "https://github.com/jpsim/Yams", from: "6.2.2")],
    targets: [
        .executableTarget(name: "ErrorBodyFuzzer", swiftSettings: fuzzing, linkerSettings: linking),
        .executableTarget(
            name: "ManifestFuzzer", dependencies: [.product(name: "Yams", package: "Yams")],
            swiftSettings: fuzzing, linkerSettings: linking),
    ]
)
