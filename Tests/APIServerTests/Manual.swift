import Foundation
import Testing

@testable import APIServer

@Test(.enabled(if: ProcessInfo.processInfo.environment["SKLS_MANUAL"] != nil)) func manual() async throws {
    try await TestServer.with { server in
        try server.host.write(toFile: "/tmp/skls-manual-host", atomically: true, encoding: .utf8)
        try? await Task.sleep(for: .seconds(Int(ProcessInfo.processInfo.environment["SKLS_MANUAL"]!)!))
    }
}
