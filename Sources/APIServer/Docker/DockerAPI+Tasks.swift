import AgentLink
import AgentProtocol
import DesiredState
import HTTPTypes
import NIOCore

extension FunctionApp {
    /// The attempt whose command runs, as far as is known; `nil` when none does.
    var runningAttempt: AttemptStatus? {
        guard !isBeingDeleted, let attempt = status.runs.last?.decidingAttempt, attempt.outcome == nil,
            attempt.startedAt != nil
        else { return nil }
        return attempt
    }
}

/// A task in a container and what it is called when it fails.
struct ContainerTask: Sendable {
    let backend: Backend
    let task: SessionTask
    /// As the beginning of a sentence.
    let what: String
    /// What the client called the container.
    let reference: String
    /// The path that it is about, which Docker names when it is not there.
    var path: String?

    /// Bound of what is kept of a task's output as a whole: some hundred thousand paths.
    private static let maximumTextBytes = 32 << 20

    /// Begins the task in the life of the container that its last run was in, or in the present one before any run: files are where that life is.
    func open(_ record: FunctionApp, whileRunning: Bool) async throws -> any SessionChannel {
        guard backend.hasSessions else { throw DockerError.sessionsOff(what) }
        guard !record.isBeingDeleted else {
            throw DockerError(.conflict, "container \(record.uid) is being removed")
        }
        guard !whileRunning || record.runningAttempt != nil else { throw DockerError.containerNotRunning(record.uid) }
        let boot = record.status.runs.last?.decidingAttempt.flatMap { BootID($0.bootID) }
        if boot == nil { try await waitForSite(record.uid) }
        var generator = SystemRandomNumberGenerator()
        let name = UID(using: &generator).text
        do throws(SessionError) {
            return try await backend.sessions.open(task, name: name, uid: record.uid, boot: boot, isKnown: false)
        } catch {
            throw translate(error)
        }
    }

    /// A container that was just created has its site a little later.
    private func waitForSite(_ uid: UID) async throws {
        let what = what
        _ = try await backend.wait(for: uid, atMost: backend.configuration.limits.siteWait) { record in
            guard let record else { throw DockerError.noSuchContainer(uid.text) }
            if record.status.site != nil { return true }
            guard let stalled = record.status[.stalled], stalled.status == .true else { return nil }
            throw DockerError(.conflict, "\(what): \(stalled.message.isEmpty ? stalled.reason : stalled.message)")
        }
    }

    /// The next piece of output; `nil` at the end of a task that did what was asked. Throws Docker's refusals.
    func read(_ channel: any SessionChannel) async throws -> ByteBuffer? {
        do throws(SessionError) {
            if let output = try await channel.read() { return output.bytes }
        } catch {
            throw translate(error)
        }
        _ = try await result(channel)
        return nil
    }

    /// Waits for the end. Throws Docker's refusals when it failed.
    @discardableResult
    func result(_ channel: any SessionChannel) async throws -> SessionResult {
        let result: SessionResult
        do throws(SessionError) {
            result = try await channel.result()
        } catch {
            throw translate(error)
        }
        guard let failure = result.failure else { return result }
        throw DockerError(failure, "\(what): \(result.message)", path: path, reference: reference)
    }

    /// All output as text.
    func text(_ channel: any SessionChannel) async throws -> String { String(buffer: try await bytes(channel)) }

    /// All output.
    func bytes(_ channel: any SessionChannel) async throws -> ByteBuffer {
        var all = ByteBuffer()
        while var piece = try await read(channel) {
            guard all.readableBytes + piece.readableBytes <= ContainerTask.maximumTextBytes else {
                throw DockerError(.internalServerError, "\(what): the answer is too long")
            }
            all.writeBuffer(&piece)
        }
        return all
    }

    func translate(_ error: SessionError) -> any Error {
        error.code == .cancelled ? CancellationError() : DockerError(error, what)
    }
}
