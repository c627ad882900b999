import NIOConcurrencyHelpers
import NIOPosix

/// Copies of base roots. One copy of each image that is in use is kept ready, so that a container's start does not
/// wait for files.
final class RootStore: Sendable {
    /// Enough that a start seldom waits: a copy takes about as long as a container's start.
    private static let spareCount = 2

    private let bases: [String: BaseRoot]
    private let directory: String
    private let owner: FileOwner?
    private let threads: NIOThreadPool
    private let state = NIOLockedValueBox(State())

    private struct State {
        var next = 0
        var spares: [String: [String]] = [:]
        /// Spares that are being made.
        var pending: [String: Int] = [:]

        /// Counts one more spare as pending if there are too few.
        mutating func reserve(_ image: String, upTo count: Int) -> Bool {
            guard (spares[image]?.count ?? 0) + (pending[image] ?? 0) < count else { return false }
            pending[image, default: 0] += 1
            return true
        }
    }

    init(bases: [String: BaseRoot], directory: String, owner: FileOwner?, threads: NIOThreadPool) {
        self.bases = bases
        self.directory = directory
        self.owner = owner
        self.threads = threads
    }

    /// A copy of the image's root that is the caller's alone, as a name in the directory of roots.
    func take(_ image: String) async throws -> String {
        if let spare = state.withLockedValue({ $0.spares[image]?.popLast() }) { return spare }
        return try await copy(image)
    }

    /// Makes copies until enough are ready.
    func refill(_ image: String) async throws {
        while state.withLockedValue({ $0.reserve(image, upTo: Self.spareCount) }) {
            defer { state.withLockedValue { $0.pending[image, default: 1] -= 1 } }
            let spare = try await copy(image)
            state.withLockedValue { $0.spares[image, default: []].append(spare) }
        }
    }

    func path(of root: String) -> String { "\(directory)/\(root)" }

    /// Removes a copy and whatever became of it.
    func remove(_ root: String) async throws {
        try await threads.runIfActive { [directory] in try TreeRemover.remove(root, in: directory) }
    }

    private func copy(_ image: String) async throws -> String {
        guard let base = bases[image] else {
            throw SimulatorError(code: .imageRootUnreadable, message: "there is no root for the image \(image)")
        }
        let name = state.withLockedValue { state in
            state.next += 1
            return "root-\(state.next)"
        }
        let path = path(of: name)
        try await threads.runIfActive { [owner] in try base.copy(to: path, owner: owner) }
        return name
    }
}
