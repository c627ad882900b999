import AgentProtocol

extension StartDiagnosis {
    /// Reads App Service's container log for reasons why the container cannot start. Only the newest start counts: what stands behind the last
    /// line that announces one, or before it if that start has nothing to say yet. The wordings are those of App Service's Linux workers and of the Docker
    /// engine that they run (reference of container logs: Azure docs, configure-custom-container and troubleshooting pages, read 2026-02).
    init(containerLog log: String) {
        // What a command wrote says nothing about the container.
        let lines = log.split(whereSeparator: \.isNewline).filter { !$0.contains(ConsoleLine.prefix) }
        let starts = lines.indices.filter { index in
            StartDiagnosis.announcements.contains { lines[index].contains($0) }
        }
        let newest = StartDiagnosis(lines: lines[(starts.last ?? lines.startIndex)...])
        guard newest == .none, starts.count > 1,
            !lines[(starts.last ?? 0)...].contains(where: StartDiagnosis.isProgress)
        else {
            self = newest
            return
        }
        // The platform has just begun its next try.
        self = StartDiagnosis(lines: lines[starts[starts.count - 2]..<(starts.last ?? 0)])
    }

    private init(lines: ArraySlice<Substring>) {
        self = .none
        for line in lines {
            let text = line.lowercased()
            let quoted = StartDiagnosis.lasting(line)
            if StartDiagnosis.pullFailures.contains(where: { text.contains($0) }) {
                self = .imagePullFailed(message: quoted)
            } else if StartDiagnosis.silences.contains(where: { text.contains($0) }) {
                self = .noAnswerOnPort(message: quoted)
            } else if StartDiagnosis.exits.contains(where: { text.contains($0) }) {
                self = .containerExited(code: StartDiagnosis.exitCode(in: text), message: quoted)
            } else if text.contains(StartDiagnosis.success) {
                self = .none
            }
        }
    }

    private static let announcements = ["Pulling image", "Pull Image"]
    private static let success = "initialized successfully and is ready to serve requests"
    private static let pullFailures = [
        "image pull failed", "pull image failed", "manifest unknown", "pull access denied", "repository does not exist",
        "unauthorized: authentication required", "toomanyrequests",
    ]
    private static let silences = ["didn't respond to http pings on port", "did not respond to http pings on port"]
    private static let exits = [
        "has exited, failing site start", "container exited with code", "exited with code", "exit code",
    ]

    /// What of a line each try of the platform writes alike, so that it is no news: without the time in front, and without the number and the
    /// random digits behind a container's name (`SITE_0_1a2b3c4d`).
    private static func lasting(_ line: Substring) -> String {
        let words = line.split(separator: " ").drop { word in
            word.first?.isNumber == true && word.contains { ":-".contains($0) }
                && word.allSatisfy { $0.isNumber || "-:.,+TZ".contains($0) }
        }
        return String(words.map(withoutInstance).joined(separator: " ").prefix(500))
    }

    private static func withoutInstance(_ word: Substring) -> Substring {
        let parts = word.split(separator: "_", omittingEmptySubsequences: false)
        guard parts.count > 2, let digits = parts.last, digits.count >= 8, digits.allSatisfy(\.isHexDigit),
            parts[parts.count - 2].allSatisfy(\.isNumber), !parts[parts.count - 2].isEmpty
        else { return word }
        return word.dropLast(digits.count + parts[parts.count - 2].count + 2)
    }

    /// It got further than to the announcement.
    private static func isProgress(_ line: Substring) -> Bool {
        line.contains("Pull complete") || line.contains("Downloaded newer image") || line.contains("Starting container")
    }

    /// The number behind `exit code` or `exited with code`, whatever stands between.
    private static func exitCode(in text: String) -> Int? {
        guard let range = text.ranges(of: "code").last else { return nil }
        let digits = text[range.upperBound...].drop { !$0.isNumber }.prefix { $0.isNumber }
        return digits.count <= 3 ? Int(digits) : nil
    }
}
