import Testing

@testable import AzureSimulator

@Suite struct WorldContainersTests {
    private let host = "a1.azurewebsites.net"

    /// A World whose site `a1` has a container that is starting.
    private func starting(_ body: String = WorldScript.body()) throws -> (WorldScript, InstanceID) {
        var script = WorldScript()
        _ = script.put("a1", body: body)
        return (script, try #require(script.started).instance)
    }

    @Test func `a container gets the settings twice and the platform's variables`() throws {
        let settings = ["A": "1", "WEBSITES_PORT": "90", "DOCKER_REGISTRY_SERVER_PASSWORD": "p", "HOME": "/x"]
        var script = WorldScript()
        _ = script.put("a1", body: WorldScript.body(settings: settings))
        let launch = try #require(script.started)
        let environment = Dictionary(uniqueKeysWithValues: launch.environment.map { ($0.name, $0.value) })
        #expect(environment["A"] == "1")
        #expect(environment["APPSETTING_A"] == "1")
        #expect(environment["WEBSITES_PORT"] == nil)
        #expect(environment["DOCKER_REGISTRY_SERVER_PASSWORD"] == nil)
        #expect(environment["HOME"] == "/home")
        #expect(environment["PORT"] == "90")
        #expect(environment["WEBSITE_SITE_NAME"] == "a1")
        #expect(environment["WEBSITE_HOSTNAME"] == host)
        #expect(launch.image == "busybox")
        #expect(!"\(launch)".contains("APPSETTING_A=1"))
    }

    @Test func `requests wait for a cold start and then go to the container`() throws {
        var (script, instance) = try starting()
        let (first, held) = script.visit(host)
        #expect(held == nil)
        let (second, _) = script.visit(host)
        _ = script.tell(.abandoned(first))
        #expect(script.tell(.containerReady(instance)) == [.forward(second, instance)])
        let (third, forwarded) = script.visit(host)
        #expect(forwarded == .forward(third, instance))
        #expect(script.log("a1").contains("initialized successfully and is ready to serve requests"))
    }

    @Test func `hosts without a site get a page`() {
        var script = WorldScript()
        guard case .reply(_, let page) = script.visit("nobody.azurewebsites.net").1 else {
            Issue.record("no reply")
            return
        }
        #expect(page.status == 404)
        #expect(String(decoding: page.body, as: UTF8.self).contains("404 Web Site not found"))
    }

    @Test func `an image that is unknown is tried again and again, and requests are refused`() {
        var script = WorldScript()
        #expect(script.put("a1", body: WorldScript.body(image: "nosuch:1")).status == 200)
        #expect(script.started == nil)
        #expect(script.log("a1").contains("Pull image failed"))
        #expect(script.log("a1").contains("manifest unknown: 404"))
        guard case .reply(_, let page) = script.visit(host).1 else {
            Issue.record("no reply")
            return
        }
        #expect(page.status == 503)

        _ = script.put("a1", body: WorldScript.body(image: "nosuch:2"))
        var pauses: [Duration] = []
        var wakes = script.last.compactMap(\.wakeTime)
        for _ in 0..<9 {
            guard let next = wakes.last else { break }
            pauses.append(next - script.now)
            script.now = next
            wakes = script.tell(.woke(SiteKey("a1"))).compactMap(\.wakeTime)
        }
        #expect(pauses == [1, 1, 2, 4, 8, 16, 32, 60, 60].map { .seconds($0) })
    }

    @Test func `a container that exits is a failed start and starts again, first at once`() throws {
        var (script, instance) = try starting()
        let (held, _) = script.visit(host)
        let effects = script.tell(.containerExited(instance))
        guard case .reply(held, let page) = effects.first else {
            Issue.record("the request was not answered")
            return
        }
        #expect(page.status == 503)
        let second = try #require(script.started)
        #expect(second.instance != instance)
        #expect(script.log("a1").contains("has exited, failing site start"))

        _ = script.tell(.containerExited(second.instance))
        #expect(script.started == nil)
        let wake = try #require(script.last.compactMap(\.wakeTime).first)
        #expect(wake - script.now == .seconds(1))
        #expect(script.tell(.woke(SiteKey("a1"))) == [])
        script.advance(.seconds(1))
        _ = script.tell(.woke(SiteKey("a1")))
        #expect(script.started != nil)
    }

    @Test func `a crash while serving starts a new container, and requests wait for it`() throws {
        var (script, instance) = try starting()
        _ = script.tell(.containerReady(instance))
        _ = script.tell(.containerExited(instance))
        let next = try #require(script.started)
        #expect(script.visit(host).1 == nil)
        #expect(script.tell(.containerReady(next.instance)).count == 1)
    }

    @Test func `a container that never answers is killed after the start limit`() throws {
        var (script, instance) = try starting()
        script.advance(.seconds(229))
        #expect(script.tell(.woke(SiteKey("a1"))) == [])
        script.advance(.seconds(1))
        let effects = script.tell(.woke(SiteKey("a1")))
        #expect(effects.contains(.stop(instance, grace: .zero)))
        #expect(script.started != nil)
        #expect(script.log("a1").contains("didn't respond to HTTP pings on port: 80, failing site start"))

        // The exit of the killed one is not the exit of the new one.
        _ = script.tell(.containerExited(instance))
        #expect(script.last == [])
    }

    @Test func `the start limit is a setting`() throws {
        let (script, _) = try starting(
            WorldScript.body(settings: ["WEBSITES_CONTAINER_START_TIME_LIMIT": "1800"]))
        #expect(script.last.compactMap(\.wakeTime) == [script.now + .seconds(1800)])
    }

    @Test func `changed settings restart beside the old container, changed tags do not`() throws {
        var (script, instance) = try starting()
        _ = script.tell(.containerReady(instance))
        _ = script.put("a1", body: WorldScript.body(tags: ["t": "2"]))
        #expect(script.started == nil)

        _ = script.put("a1", body: WorldScript.body(settings: ["A": "2"], tags: ["t": "2"]))
        let next = try #require(script.started)
        let (request, answer) = script.visit(host)
        #expect(answer == .forward(request, instance))
        #expect(script.tell(.containerReady(next.instance)) == [.stop(instance, grace: .seconds(5))])
        let (later, moved) = script.visit(host)
        #expect(moved == .forward(later, next.instance))
        _ = script.tell(.containerExited(instance))
        #expect(script.last == [])
    }

    @Test func `a second change during a start replaces the container that starts`() throws {
        var (script, instance) = try starting()
        _ = script.put("a1", body: WorldScript.body(settings: ["A": "2"]))
        #expect(script.last.contains(.stop(instance, grace: .zero)))
        let next = try #require(script.started)
        _ = script.tell(.containerReady(instance))
        #expect(script.visit(host).1 == nil)
        #expect(script.tell(.containerReady(next.instance)).count == 1)
    }

    @Test func `a deleted site stops its container and answers who waits`() throws {
        var (script, instance) = try starting()
        let (held, _) = script.visit(host)
        _ = script.arm("DELETE", WorldScript.site("a1"), query: "deleteEmptyServerFarm=false")
        #expect(script.last.contains(.stop(instance, grace: .zero)))
        #expect(script.last.contains { if case .reply(held, let page) = $0 { page.status == 404 } else { false } })
        #expect(script.tell(.containerReady(instance)) == [])

        _ = script.put("a1")
        let next = try #require(script.started)
        #expect(next.instance != instance)
        _ = script.tell(.containerReady(next.instance))
        _ = script.arm("DELETE", WorldScript.site("a1"))
        #expect(script.last.contains(.stop(next.instance, grace: .seconds(5))))
    }

    @Test func `lines of the agent are journalled, however they are cut, also after the site is gone`() throws {
        var (script, instance) = try starting()
        let line = Array("other\nskls-agent: exec token=T1 boot=B1\nskls-agent: exec token=T2".utf8)
        #expect(script.tell(.containerWrote(instance, Array(line[..<20]))) == [])
        #expect(
            script.tell(.containerWrote(instance, Array(line[20...])))
                == [.journal(ExecutionRecord(site: "a1", token: "T1", boot: "B1"))])
        #expect(script.log("a1").contains("exec token=T1"))
        _ = script.arm("DELETE", WorldScript.site("a1"))
        #expect(
            script.tell(.containerWrote(instance, Array(" boot=B2\n".utf8)))
                == [.journal(ExecutionRecord(site: "a1", token: "T2", boot: "B2"))])
    }

    @Test func `the log keeps its end`() throws {
        var (script, instance) = try starting()
        for number in 0..<1_000 {
            _ = script.tell(.containerWrote(instance, Array(repeating: UInt8(ascii: "x"), count: 1_000)))
            _ = script.tell(.containerWrote(instance, Array("line \(number)\n".utf8)))
        }
        let log = script.log("a1")
        #expect(log.utf8.count == ContainerLog.limitBytes)
        #expect(log.hasSuffix("line 999\n"))
        #expect(!log.contains("line 100\n"))
    }

    @Test func `after shutdown nothing starts and every container stops`() throws {
        var (script, instance) = try starting()
        _ = script.tell(.containerReady(instance))
        _ = script.put("a2")
        let other = try #require(script.started).instance
        let (held, _) = script.visit("a2.azurewebsites.net")
        let effects = script.tell(.shutdown)
        #expect(effects.contains(.stop(instance, grace: .seconds(5))))
        #expect(effects.contains(.stop(other, grace: .zero)))
        #expect(effects.contains { if case .reply(held, let page) = $0 { page.status == 503 } else { false } })
        _ = script.tell(.containerExited(instance))
        #expect(script.last == [])
        _ = script.put("a3")
        #expect(script.started == nil)
    }
}

extension Effect {
    fileprivate var wakeTime: Instant? {
        if case .wake(_, let time) = self { return time }
        return nil
    }
}
