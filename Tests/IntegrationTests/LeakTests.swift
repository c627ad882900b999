import Foundation
import NIOHTTP1
import Testing

/// Sites that come to be without a record, from the first sight to the metrics.
@Suite(.serialized, .timeLimit(.minutes(3)))
struct LeakTests {
    private struct Site: Codable {
        struct Properties: Codable {
            struct Configuration: Codable {
                let linuxFxVersion: String?
            }
            let serverFarmId: String?
            let siteConfig: Configuration?
        }
        let name: String
        let location: String
        let kind: String?
        let tags: [String: String]?
        let properties: Properties
    }

    private struct List: Decodable {
        let value: [Site]
    }

    @Test func `a site that comes back after its record was forgotten is deleted and counted`() async throws {
        let here = try await Installation.start()
        #expect(try await here.docker("create", "--name", "job", "alpine", "true").status == 0)
        #expect(try await here.skls("wait", "job", "--for=condition=Ready", "--timeout", "60s").status == 0)
        let version = "api-version=2025-03-01"
        let listed = try await here.arm(.GET, "providers/Microsoft.Web/sites?\(version)")
        let site = try #require(try JSONDecoder().decode(List.self, from: listed.body).value.first)
        #expect(site.tags?["skls-name"] == "job")
        #expect(try await here.docker("rm", "job").status == 0)
        while try await !here.sites().isEmpty { await Task.yield() }
        #expect(try await counts(here) == ["suspected": 0, "quarantined": 0, "deleted": 0])
        // The record is forgotten once the site was seen gone.
        while try await !here.skls("get", "-o", "name").output.isEmpty { await Task.yield() }
        await here.stopDaemon()

        // As a write does that Azure carries out long after it was given up.
        let body = String(decoding: try JSONEncoder().encode(site), as: UTF8.self)
        let put = try await here.arm(.PUT, "providers/Microsoft.Web/sites/\(site.name)?\(version)", body: body)
        #expect((200...202).contains(put.status.code), "\(String(decoding: put.body, as: UTF8.self))")
        #expect(try await here.sites().map(\.name) == [site.name])

        try await here.startDaemon()
        while try await !here.sites().isEmpty { await Task.yield() }
        // The sweep adds up what it did once it is over.
        while try await counts(here)["deleted"] == 0 { await Task.yield() }
        #expect(try await counts(here) == ["suspected": 1, "quarantined": 0, "deleted": 1])
        #expect(try await here.skls("leaks", "list").errors == "No leaks found.\n")
        await here.stop()
    }

    private func counts(_ here: Installation) async throws -> [String: Int] {
        let page = try await here.request("GET", "/metrics").body
        var counts: [String: Int] = [:]
        for line in page.split(separator: "\n") {
            guard let match = line.wholeMatch(of: /skls_leaks_([a-z]+)_total ([0-9]+)/) else { continue }
            counts[String(match.1)] = Int(match.2)
        }
        return counts
    }
}
