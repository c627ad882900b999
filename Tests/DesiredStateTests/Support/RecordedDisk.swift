import NIOConcurrencyHelpers

/// What a disk holds of the files of one folder: what was synced for certain, and what was written since, which a power cut
/// may keep in any part and any order, torn at sectors.
///
/// The sectors beside a write are left alone, as SQLite expects of disks (`SQLITE_IOCAP_POWERSAFE_OVERWRITE`, sqlite.org/psow.html).
final class RecordedDisk: Sendable {
    enum Change: Sendable {
        case write(offset: Int, bytes: [UInt8])
        case truncate(size: Int)
        case remove
    }

    /// The files as they are found after a cut, by name.
    struct Image: Sendable {
        var files: [String: [UInt8]] = [:]
        /// Promises that had been made before the power went.
        let promises: Int
        /// The name of the file that was being written, or synced, when the power went.
        let at: String
    }

    private struct File {
        /// `nil`: there is no such file.
        var synced: [UInt8]?
        var unsynced: [Change] = []

        mutating func sync() {
            for change in unsynced { File.apply(change, to: &synced) { true } }
            unsynced = []
        }

        mutating func syncRemoval() {
            let removal = unsynced.lastIndex {
                if case .remove = $0 { true } else { false }
            }
            guard let removal else { return }
            synced = nil
            unsynced.removeFirst(removal + 1)
        }

        func cut(isKept: () -> Bool) -> [UInt8]? {
            var bytes = synced
            for change in unsynced { File.apply(change, to: &bytes, isKept: isKept) }
            return bytes
        }

        private static func apply(_ change: Change, to file: inout [UInt8]?, isKept: () -> Bool) {
            switch change {
            case .remove: if isKept() { file = nil }
            case .truncate(let size): if isKept(), let old = file, old.count > size { file = Array(old.prefix(size)) }
            case .write(let offset, let bytes):
                var position = offset
                while position < offset + bytes.count {
                    let end = min(offset + bytes.count, (position / sector + 1) * sector)
                    if isKept() {
                        var content = file ?? []
                        file = nil
                        if content.count < end { content += [UInt8](repeating: 0, count: end - content.count) }
                        content.replaceSubrange(position..<end, with: bytes[(position - offset)..<(end - offset)])
                        file = content
                    }
                    position = end
                }
            }
        }

        private static let sector = 512
    }

    private struct State {
        var files: [String: File] = [:]
        var promises = 0
        var images: [Image] = []
        var generator: Seeded

        mutating func maybeCut(at file: String, spacing: Int) {
            guard Int.random(in: 0..<spacing, using: &generator) == 0 else { return }
            // Nothing more than was synced, all that was written, or a part.
            let chance = [0, 0.1, 0.5, 0.9, 1][Int.random(in: 0..<5, using: &generator)]
            var image = Image(promises: promises, at: file)
            var generator = generator
            for (name, file) in files.sorted(by: { $0.key < $1.key }) {
                image.files[name] = file.cut { Double.random(in: 0..<1, using: &generator) < chance }
            }
            self.generator = generator
            images.append(image)
        }
    }

    private let state: NIOLockedValueBox<State>
    /// One cut at so many operations on files, on average.
    private let spacing: Int

    init(seed: UInt64, spacing: Int) {
        state = NIOLockedValueBox(State(generator: Seeded(state: seed)))
        self.spacing = spacing
    }

    var images: [Image] { state.withLockedValue { $0.images } }

    /// A caller has been told that something is kept.
    func promised() {
        state.withLockedValue { $0.promises += 1 }
    }

    /// A change is handed to the operating system. The power may go now.
    func change(_ file: String, _ change: Change) {
        state.withLockedValue { state in
            state.files[file, default: File()].unsynced.append(change)
            state.maybeCut(at: file, spacing: spacing)
        }
    }

    /// The operating system is asked to sync the file. The power may go before it has.
    func sync(_ file: String) {
        state.withLockedValue { state in
            state.maybeCut(at: file, spacing: spacing)
            // SQLite syncs the folder with the first sync of a log or journal (`os_unix.c`, UNIXFILE_DIRSYNC, version 3.40.1):
            // deletions before it are for good.
            let isFirst = state.files[file]?.synced == nil && file.contains("-")
            state.files[file, default: File()].sync()
            guard isFirst else { return }
            for name in state.files.keys { state.files[name]?.syncRemoval() }
        }
    }

    struct Seeded: RandomNumberGenerator, Sendable {
        var state: UInt64

        /// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return mixed ^ (mixed >> 31)
        }
    }
}
