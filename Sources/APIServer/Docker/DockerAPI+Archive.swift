import AgentLink
import AgentProtocol
import DesiredState
import Foundation
import HTTPTypes
import HummingbirdCore
import NIOCore

/// Copying in and out.
extension DockerAPI {
    /// `HEAD /containers/{id}/archive`: what lies at a path.
    func statArchive(_ exchange: Exchange, _ reference: String) async throws -> Response {
        let path = try ArchivePath(exchange.query)
        let task = ContainerTask(
            backend: backend, task: .stat(path: path.absolute), what: "cp", reference: reference, path: path.text)
        let record = try await find(reference)
        let facts = try await exchange.untilHangUp {
            let channel = try await task.open(record, whileRunning: false)
            defer { channel.release() }
            return try await task.result(channel).facts
        }
        return Response(status: .ok, headers: [.pathStat: try PathStat(facts).header])
    }

    /// `GET /containers/{id}/archive`: a tar of what lies at a path.
    func readArchive(_ exchange: Exchange, _ reference: String) async throws -> Response {
        let path = try ArchivePath(exchange.query)
        let task = ContainerTask(
            backend: backend, task: .archive(path: path.absolute), what: "cp", reference: reference, path: path.text)
        let record = try await find(reference)
        let response = try await stream(task, record, exchange, type: "application/x-tar") { channel in
            [.pathStat: try PathStat(channel.facts).header]
        }
        try await backend.tell("archive-path", of: record)
        return response
    }

    /// `GET /containers/{id}/export`.
    func export(_ exchange: Exchange, _ reference: String) async throws -> Response {
        let task = ContainerTask(backend: backend, task: .export, what: "export", reference: reference)
        let record = try await find(reference)
        let response = try await stream(task, record, exchange, type: "application/octet-stream") { _ in [:] }
        try await backend.tell("export", of: record)
        return response
    }

    /// The task's output as it comes. The head goes out with the first bytes, so that a refusal has a status; a failure behind it breaks the connection,
    /// which clients of tars notice.
    private func stream(
        _ task: ContainerTask, _ record: FunctionApp, _ exchange: Exchange, type: String,
        _ headers: (any SessionChannel) throws -> HTTPFields
    ) async throws -> Response {
        let (channel, first) = try await exchange.untilHangUp {
            let channel = try await task.open(record, whileRunning: false)
            do {
                return (channel, try await task.read(channel))
            } catch {
                channel.release()
                throw error
            }
        }
        var fields: HTTPFields
        do {
            fields = try headers(channel)
        } catch {
            channel.release()
            throw error
        }
        fields[.contentType] = type
        return Response(
            status: .ok, headers: fields,
            body: .init { writer in
                defer { channel.release() }
                try await exchange.untilHangUp {
                    var piece = first
                    while let bytes = piece {
                        try await exchange.write(bytes)
                        piece = try await task.read(channel)
                    }
                }
                try await writer.finish(nil)
            })
    }

    /// `PUT /containers/{id}/archive`: unpacks the body, a tar, into a directory of the container.
    func writeArchive(_ exchange: Exchange, _ reference: String) async throws -> Response {
        try await exchange.streamBody()
        let path = try ArchivePath(exchange.query)
        let task = ContainerTask(
            backend: backend,
            task: .extract(
                path: path.absolute, noOverwriteDirNonDir: exchange.query.flag("noOverwriteDirNonDir"),
                copiesOwners: exchange.query.flag("copyUIDGID")), what: "cp", reference: reference, path: path.text)
        let record = try await find(reference)
        do {
            try await exchange.untilHangUp {
                let channel = try await task.open(record, whileRunning: false)
                defer { channel.release() }
                try await send(exchange, to: channel, task)
                try await task.result(channel)
            }
            try await backend.tell("extract-to-dir", of: record)
        } catch let error as DockerError {
            // What the client goes on to send is not read.
            var response = DockerAPI.refusal(error)
            response.headers[.connection] = "close"
            return response
        }
        return Response(status: .ok)
    }

    /// Throws Docker's refusals. An agent that takes no more has its reasons, which the result tells.
    private func send(_ exchange: Exchange, to channel: any SessionChannel, _ task: ContainerTask) async throws {
        var archive = ArchiveBody()
        for try await bytes in exchange.request.body {
            archive.take(bytes)
            while let piece = try archive.next() {
                guard try await write(piece, to: channel, task) else { return }
            }
        }
        archive.end()
        while let piece = try archive.next() {
            guard try await write(piece, to: channel, task) else { return }
        }
        do throws(SessionError) {
            try await channel.endInput()
        } catch {
            if error.code != .ended { throw task.translate(error) }
        }
    }

    /// False when the agent takes no more.
    private func write(_ bytes: ByteBuffer, to channel: any SessionChannel, _ task: ContainerTask) async throws -> Bool
    {
        do throws(SessionError) {
            try await channel.write(bytes)
            return true
        } catch {
            if error.code == .ended { return false }
            throw task.translate(error)
        }
    }
}

/// The path of a copy, in a container.
struct ArchivePath: Hashable, Sendable {
    /// As the client wrote it.
    let text: String

    /// Throws Docker's refusal (moby v28, `daemon/server/httputils/form.go`).
    init(_ query: RequestTarget.Query) throws(DockerError) {
        guard let text = query["path"], !text.isEmpty else {
            throw .badParameter("bad parameter: path cannot be empty")
        }
        guard !text.utf8.contains(0) else { throw .badParameter("bad parameter: path holds a NUL character") }
        self.text = text
    }

    /// Paths are relative to the root, whatever the container's working directory is.
    var absolute: String { text.hasPrefix("/") ? text : "/" + text }
}

/// What clients are told about a path in a header.
struct PathStat: Hashable, Sendable {
    let name: String
    let size: Int64
    /// Go's `FileMode`.
    let mode: UInt32
    let modified: Instant
    let target: String

    /// Throws when the agent left something out.
    init(_ facts: [String: String]) throws(DockerError) {
        guard let name = facts[PathFact.name], let size = facts[PathFact.size].flatMap({ Int64($0) }),
            let mode = facts[PathFact.mode].flatMap({ UInt32($0) }),
            let modified = facts[PathFact.modified].flatMap({ Int64($0) })
        else { throw DockerError(.internalServerError, "cp: the agent's answer is incomplete") }
        self.name = name
        self.size = size
        self.mode = PathStat.goMode(mode)
        self.modified = Instant(nanoseconds: modified)
        target = facts[PathFact.target] ?? ""
    }

    var json: JSON {
        [
            "name": .string(name), "size": .number(size), "mode": .number(mode),
            "mtime": .string(modified.rfc3339(fractionDigits: 9)), "linkTarget": .string(target),
        ]
    }

    var header: String { Data(json.text.utf8).base64EncodedString() }

    /// Go puts the kind of a file and its special bits elsewhere (Go 1.24, `io/fs.FileMode` and `os/stat_linux.go`).
    static func goMode(_ mode: UInt32) -> UInt32 {
        var result = mode & 0o777
        switch mode & 0o170000 {
        case 0o040000: result |= 1 << 31
        case 0o120000: result |= 1 << 27
        case 0o060000: result |= 1 << 26
        case 0o020000: result |= 1 << 26 | 1 << 21
        case 0o010000: result |= 1 << 25
        case 0o140000: result |= 1 << 24
        default: break
        }
        if mode & 0o4000 != 0 { result |= 1 << 23 }
        if mode & 0o2000 != 0 { result |= 1 << 22 }
        if mode & 0o1000 != 0 { result |= 1 << 20 }
        return result
    }
}

extension HTTPField.Name {
    static let pathStat = HTTPField.Name("X-Docker-Container-Path-Stat", default: .server)
}
