// Kudu, the site of a site (`NAME.scm.azurewebsites.net`): its log files and the live stream of them (KuduLite source of
// 2021, read 2026-02). It takes the site's publishing credentials and tokens for Resource Manager (as az sends them).

extension World {
    /// The site of a `.scm.` host.
    private func site(scmHost host: String) -> Site? {
        hosts[host.replacing(".scm.", with: ".", maxReplacements: 1)].flatMap { sites[$0] }
    }

    static func isKudu(_ host: String) -> Bool { host.contains(".scm.") }

    /// Whether a path is that of the live stream, which `follow` answers.
    static func isLogStream(_ path: String) -> Bool {
        let path = path.lowercased()
        return ["/logstream", "/api/logstream"].contains { path == $0 || path.hasPrefix("\($0)/") }
    }

    mutating func answerKudu(_ request: ControlRequest, at now: Instant) -> Reply {
        guard let site = site(scmHost: request.host) else { return FrontEndPage.notFound }
        if let refusal = kuduRefusal(request, of: site, at: now) { return refusal }
        guard request.method == "GET" || request.method == "HEAD" else { return Reply(status: 405) }
        let path = request.path.lowercased()
        switch path {
        case "/api/logs/docker": return dockerLogs(site, request, at: now)
        case "/api/vfs/logfiles/": return logFolder(site, request, at: now)
        default: break
        }
        for file in files(of: site, at: now) where path == "/api/vfs/logfiles/\(file.name.lowercased())" {
            return content(file.bytes, range: request.header("Range"))
        }
        return .text(
            404, "{\"Message\":\"No HTTP resource was found that matches the request URI.\"}", type: "application/json")
    }

    private mutating func kuduRefusal(_ request: ControlRequest, of site: Site, at now: Instant) -> Reply? {
        if hasPublishingCredentials(request, for: site) { return nil }
        if case .success = caller(of: request, at: now) { return nil }
        var reply = Reply(status: 401)
        reply.add("WWW-Authenticate", "Basic realm=\"site\"")
        return reply
    }

    /// Whether a request carries the site's publishing credentials and these may be used: a policy of the site can forbid
    /// basic authentication (docs, configure-basic-auth-disable, read 2026-02).
    private func hasPublishingCredentials(_ request: ControlRequest, for site: Site) -> Bool {
        guard let header = request.authorization, header.lowercased().hasPrefix("basic "),
            let policy = SiteDocument.policies.first(where: { $0.spelling == "scm" }),
            policy.value(in: site)["allow"] != false
        else { return false }
        let text = header.dropFirst(6).replacing("+", with: "-").replacing("/", with: "_").prefix { $0 != "=" }
        guard let bytes = Base64URL.decode(text), let pair = String(validating: bytes, as: UTF8.self) else {
            return false
        }
        let parts = pair.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { return false }
        // `$site`, or `site\$site` as in the profile for FTP. That names have no case is a guess.
        let user = "$\(site.name)".lowercased()
        return [user, "\(site.name)\\\(user)".lowercased()].contains(parts[0].lowercased())
            && parts[1] == site.publishingPassword
    }

    // MARK: Files

    private struct LogFile {
        var name: String
        var bytes: [UInt8]
        var changed: Instant
    }

    /// `2026_01_02_MACHINE_docker.log` of the platform and `…_default_docker.log` of the container.
    private func files(of site: Site, at now: Instant) -> [LogFile] {
        let changed = site.container.files.changed ?? now
        let day = changed.iso8601.prefix(10).replacing("-", with: "_")
        let stem = "\(day)_\(workerID.prefix(12))"
        return [
            LogFile(
                name: "\(stem)_default_docker.log", bytes: Array(site.container.files.console.tail), changed: changed),
            LogFile(name: "\(stem)_docker.log", bytes: Array(site.container.files.platform.tail), changed: changed),
        ]
    }

    private func dockerLogs(_ site: Site, _ request: ControlRequest, at now: Instant) -> Reply {
        .json(
            200,
            .array(
                files(of: site, at: now).map { file in
                    [
                        "machineName": .string(
                            file.name.contains("_default_")
                                ? "\(workerID.prefix(12))_default" : String(workerID.prefix(12))),
                        "lastUpdated": .string(file.changed.iso8601), "size": .number(file.bytes.count),
                        "href": .string("\(request.baseURL)/api/vfs/LogFiles/\(file.name)"),
                        "path": .string("/home/LogFiles/\(file.name)"),
                    ]
                }))
    }

    private func logFolder(_ site: Site, _ request: ControlRequest, at now: Instant) -> Reply {
        .json(
            200,
            .array(
                files(of: site, at: now).map { file in
                    [
                        "name": .string(file.name), "size": .number(file.bytes.count),
                        "mtime": .string(file.changed.iso8601), "crtime": .string(file.changed.iso8601),
                        "mime": "text/plain", "href": .string("\(request.baseURL)/api/vfs/LogFiles/\(file.name)"),
                        "path": .string("/home/LogFiles/\(file.name)"),
                    ]
                }))
    }

    /// The file, or the part that `Range: bytes=a-b`, `a-` or `-n` asks for (RFC 9110 §14).
    private func content(_ bytes: [UInt8], range header: String?) -> Reply {
        var reply = Reply(status: 200, headers: [.init(name: "Content-Type", value: "text/plain")], body: bytes)
        reply.add("Accept-Ranges", "bytes")
        guard let header, header.hasPrefix("bytes="), !header.contains(",") else { return reply }
        let parts = header.dropFirst(6).split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2 else { return reply }
        let (first, last): (Int, Int)
        if let suffix = Int(parts[1]), parts[0].isEmpty {
            (first, last) = (max(0, bytes.count - suffix), bytes.count - 1)
        } else if let start = Int(parts[0]) {
            (first, last) = (start, min(Int(parts[1]) ?? .max, bytes.count - 1))
        } else {
            return reply
        }
        guard first <= last, first < bytes.count else {
            return Reply(status: 416, headers: [.init(name: "Content-Range", value: "bytes */\(bytes.count)")])
        }
        reply.status = 206
        reply.body = Array(bytes[first...last])
        reply.add("Content-Range", "bytes \(first)-\(last)/\(bytes.count)")
        return reply
    }

    // MARK: The live stream

    /// Begins a stream: its first lines are the welcome and the last ten of each file. Plain lines, although the media
    /// type is that of server-sent events (KuduLite source of 2021, read 2026-02).
    mutating func follow(_ id: RequestID, _ request: ControlRequest, at now: Instant) {
        guard let site = site(scmHost: request.host) else {
            effects.append(.reply(id, FrontEndPage.notFound))
            return
        }
        if let refusal = kuduRefusal(request, of: site, at: now) {
            effects.append(.reply(id, refusal))
            return
        }
        var text = "\(now.iso8601.prefix(19))  Welcome, you are now connected to log-streaming service.\n"
        text += "\nStarting Log Tail -n 10 of existing logs ----\n"
        for file in files(of: site, at: now) {
            text += "/home/LogFiles/\(file.name)\n"
            for line in file.bytes.split(separator: UInt8(ascii: "\n")).suffix(10) {
                text += String(decoding: line, as: UTF8.self) + "\n"
            }
        }
        text += "\nEnding Log Tail of existing logs ---\n\nStarting Live Log Stream ---\n"
        logs.followers[id] = LogFollower(site: site.key, since: now, lastTrace: now)
        effects.append(.stream(id))
        effects.append(.output(id, Array(text.utf8)))
    }

    /// Time went by for a follower: the heartbeat, or the end.
    mutating func beat(_ id: RequestID, at now: Instant) {
        guard let follower = logs.followers[id] else { return }
        let stamp = now.iso8601.prefix(19)
        if now - follower.since >= LogFollower.timeLimit {
            let minutes = LogFollower.timeLimit.components.seconds / 60
            effects.append(.output(id, Array("\(stamp)  Stream terminated due to timeout \(minutes) min(s).\n".utf8)))
            endFollowing(id)
        } else if sites[follower.site] == nil {
            endFollowing(id)
        } else if now - follower.lastTrace >= LogFollower.heartbeat {
            let minutes = (now - follower.lastTrace).components.seconds / 60
            effects.append(.output(id, Array("\(stamp)  No new trace in the past \(minutes) min(s).\n".utf8)))
        }
    }

    private mutating func endFollowing(_ id: RequestID) {
        logs.followers[id] = nil
        effects.append(.streamEnd(id))
    }
}
