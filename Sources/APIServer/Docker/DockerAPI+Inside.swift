import AgentLink
import AgentProtocol
import DesiredState
import HTTPTypes
import HummingbirdCore

/// What goes on in a container.
extension DockerAPI {
    /// `GET /containers/{id}/changes`: `docker diff`.
    func changes(_ exchange: Exchange, _ reference: String) async throws -> Response {
        let task = ContainerTask(backend: backend, task: .changes, what: "diff", reference: reference)
        let text = try await text(of: task, try await find(reference), exchange, whileRunning: false)
        return .json(.array(try text.split(separator: "\n").map { line in try ChangedPath(line: line).json }))
    }

    /// `GET /containers/{id}/top`.
    func top(_ exchange: Exchange, _ reference: String) async throws -> Response {
        let arguments = exchange.query["ps_args"].flatMap { $0.isEmpty ? nil : $0 } ?? "-ef"
        let task = ContainerTask(
            backend: backend, task: .processes(arguments: arguments), what: "top", reference: reference)
        let record = try await find(reference)
        let text = try await text(of: task, record, exchange, whileRunning: true)
        try await backend.tell("top", of: record)
        return .json(ProcessTable.json(text))
    }

    private func text(
        of task: ContainerTask, _ record: FunctionApp, _ exchange: Exchange, whileRunning: Bool
    ) async throws -> String {
        try await exchange.untilHangUp {
            let channel = try await task.open(record, whileRunning: whileRunning)
            defer { channel.release() }
            return try await task.text(channel)
        }
    }
}

/// A line of the agent's list of changes, `A|C|D PATH`.
struct ChangedPath: Hashable, Sendable {
    /// Docker's numbers (moby v28, `api/types/container/change_types.go`).
    enum Kind: Int, Hashable, Sendable {
        case modified = 0
        case added = 1
        case deleted = 2
    }

    let kind: Kind
    let path: String

    init(line: Substring) throws(DockerError) {
        let kinds: [Character: Kind] = ["C": .modified, "A": .added, "D": .deleted]
        let encoded = String(line.dropFirst(2))
        guard let letter = line.first, let kind = kinds[letter], line.dropFirst().first == " ",
            let path = PercentEncoding.decode(encoded), path.hasPrefix("/")
        else { throw DockerError(.internalServerError, "diff: the agent's answer cannot be understood") }
        self.kind = kind
        self.path = path
    }

    var json: JSON { ["Path": .string(path), "Kind": .number(kind.rawValue)] }
}

/// The agent's list of processes: lines of fields between tabs, the first line the titles.
enum ProcessTable {
    static func json(_ text: String) -> JSON {
        let lines = text.split(separator: "\n").map { line in
            line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
        }
        return [
            "Titles": .strings(lines.first ?? []), "Processes": .array(lines.dropFirst().map { JSON.strings($0) }),
        ]
    }
}
