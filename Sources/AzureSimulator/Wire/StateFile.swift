import Logging
import NIOConcurrencyHelpers

/// The World's durable part on disk, written behind changes: many changes within a short time are one write, and a change
/// is on disk a moment later, or at a clean end. A crash loses at most that moment.
struct StateFile: Sendable {
    let path: String
    let logger: Logger
    /// How long changes are gathered.
    private static let delay = Duration.milliseconds(200)

    /// The snapshot that an earlier simulator left, if any.
    /// - Throws: `fileSystem`.
    func read() throws(SimulatorError) -> [UInt8]? { try PrivateFile.read(path) }

    /// Writes the state of a simulation after its changes, until these end; once more at the end.
    func run(_ simulation: Simulation) async {
        for await _ in simulation.changes {
            // Gathers changes: what comes meanwhile is one element, since the stream buffers no more. The sleep throws only
            // when it is cancelled, and then nothing is lost: the write comes at once.
            try? await Task.sleep(for: Self.delay)
            await write(simulation)
        }
        await write(simulation)
    }

    /// Off the caller's actor: a snapshot of many sites takes a while, and so does the disk.
    @concurrent private func write(_ simulation: Simulation) async {
        do { try PrivateFile.replace(path, with: simulation.world.snapshot()) } catch {
            logger.error("cannot write the simulator's state", metadata: ["error": "\(error)"])
        }
    }
}
