extension StartDiagnosis {
    /// Reads App Service's container log for reasons why the container cannot start. Only the newest start counts: what stands behind the last
    /// line that announces one. The wordings are those of App Service's Linux workers and of the Docker engine that they run.
    init(containerLog log: String) {
        let lines = log.split(whereSeparator: \.isNewline)
        let newest = lines.lastIndex { $0.contains("Pulling image") || $0.contains("Pull Image") } ?? lines.startIndex
        let failure = lines[newest...].last { line in
            let text = line.lowercased()
            return StartDiagnosis.pullFailures.contains { text.contains($0) }
        }
        self = failure.map { .imagePullFailed(message: String($0.prefix(500))) } ?? .none
    }

    private static let pullFailures = [
        "image pull failed", "pull image failed", "manifest unknown", "pull access denied", "repository does not exist",
        "unauthorized: authentication required",
    ]
}
