import Foundation
import GRDB
import Testing

@testable import DesiredState

/// A power cut is more than a killed process: what was written and not synced is lost in part, torn and out of order.
///
/// A writer makes promises one after the other, on SQLite files whose every write and sync is recorded; at seeded points the
/// disk is taken as a cut would leave it, and a store is opened on that.
@Suite(.timeLimit(.minutes(2)))
struct PowerCutTests {
    /// One thing that the store promises when it returns.
    private enum Step {
        case commit(Transaction)
        case epoch(String)

        func carryOut(on store: any RecordStore) async throws {
            switch self {
            case .commit(let transaction): try await store.commit(transaction)
            case .epoch(let writer): _ = try await store.beginEpoch(writer: writer)
            }
        }

        /// History alone is durable with the next promise.
        var isPromise: Bool {
            if case .commit(let transaction) = self { !transaction.isHistory } else { true }
        }
    }

    private struct Recording {
        var images: [RecordedDisk.Image]
        /// What is to be read after so many steps, from none; as a store in memory has it.
        var expected: [StoreContents]
        /// How many steps had been carried out at each promise.
        var promised: [Int]
        var instance: InstanceID
        var key: StoreKey
    }

    /// Records come, are worked on and go, with more than a page of text each; there are events, and now and then a new life begins.
    private static func steps(_ count: Int, generator: inout RecordedDisk.Seeded) throws -> [Step] {
        var living: [FunctionApp] = []
        return try (0..<count).map { number in
            if number % 16 == 7 { return .epoch("life-\(number)") }
            if number % 4 == 2 {
                let event = EngineEvent(at: .start, .image, "pull", actor: "image-\(number)")
                return .commit(Transaction(origin: .user, [.addEvent(event)]))
            }
            var operations: [Transaction.Operation] = []
            if living.count > 6 {
                let last = living.removeFirst()
                operations.append(.forget(last.uid, siteName: "skls-\(number)", at: .start))
            }
            if let working = living.last {
                operations += [
                    .settleIntent(working.uid),
                    .setStatus(working.uid, FunctionAppStatus(observedGeneration: Int64(number))),
                    .openAttempt(
                        Attempt(
                            uid: working.uid, run: number, number: 1, token: "t\(number)", bootID: "b",
                            openedAt: .start)),
                    .finishAttempt(
                        token: "t\(number)", AttemptResult(outcome: .lost, exitCode: nil, finishedAt: .start)),
                ]
            }
            var record = try FunctionApp.sample("r\(number)")
            record.metadata.uid = UID(using: &generator)
            let length = Int.random(in: 0..<6000, using: &generator)
            record.metadata.annotations["text"] = String(repeating: "x", count: length)
            operations += [
                .create(record),
                .openIntent(Intent(uid: record.uid, kind: .putSite, siteName: "s\(number)", openedAt: .start)),
                .addToInventory("web", record.uid),
            ]
            living.append(record)
            return .commit(Transaction(origin: .user, operations))
        }
    }

    /// As SQLite writes it: in full.
    private static func freshFolder() -> String {
        URL(fileURLWithPath: NSTemporaryDirectory()).resolvingSymlinksInPath().path + "/skls-power-" + UUID().uuidString
    }

    /// `synchronous`: a planted fault, in the place of what the store sets.
    private static func recording(seed: UInt64, synchronous: String? = nil) async throws -> Recording {
        var generator = RecordedDisk.Seeded(state: seed)
        // The store sets what it has to be again after each piece of history, so that there is none beside a planted fault.
        let steps = try steps(130, generator: &generator).filter { synchronous == nil || $0.isPromise }
        let folder = PowerCutTests.freshFolder()
        let path = try StateDirectory(path: folder).databasePath
        let disk = RecordedDisk(seed: seed, spacing: 80)
        RecordingFileSystem.record(folder, on: disk)
        let store = try SQLiteStore(path: path, generator: &generator)
        disk.promised()
        // Checkpoints are where the files are rewritten: many of them, and the pages of the file with them.
        try await store.pool.writeWithoutTransaction { database in
            try database.execute(sql: "PRAGMA wal_autocheckpoint = 40")
            if let synchronous { try database.execute(sql: "PRAGMA synchronous = \(synchronous)") }
        }
        let oracle = MemoryStore(generator: &generator)
        var expected = [try await StoreContents(oracle)]
        var promised = [0]
        for (number, step) in steps.enumerated() {
            try await step.carryOut(on: store)
            if step.isPromise {
                disk.promised()
                promised.append(number + 1)
            }
            try await step.carryOut(on: oracle)
            expected.append(try await StoreContents(oracle))
        }
        let images = disk.images
        try store.pool.close()
        RecordingFileSystem.forget(folder)
        try FileManager.default.removeItem(atPath: folder)
        return Recording(
            images: images, expected: expected, promised: promised, instance: store.instance, key: store.key)
    }

    /// What is wrong with a store that comes back on this image; `nil` = it keeps its promises.
    private static func fault(of image: RecordedDisk.Image, in recording: Recording) async throws -> String? {
        let folder = PowerCutTests.freshFolder()
        let path = try StateDirectory(path: folder).databasePath
        // A folder left in the temporary directory does no harm.
        defer { try? FileManager.default.removeItem(atPath: folder) }
        for (name, bytes) in image.files { try Data(bytes).write(to: URL(fileURLWithPath: folder + "/" + name)) }
        do {
            return try await fault(ofStoreAt: path, after: image.promises, in: recording)
        } catch {
            return "\(error)"
        }
    }

    private static func fault(
        ofStoreAt path: String, after promises: Int, in recording: Recording
    ) async throws -> String? {
        var generator = RecordedDisk.Seeded(state: 1)
        let store = try SQLiteStore(path: path, generator: &generator)
        defer { try? store.pool.close() }  // It is done with, and its files are about to go.
        let integrity = try await store.pool.read { try String.fetchAll($0, sql: "PRAGMA integrity_check") }
        if integrity != ["ok"] { return integrity.joined(separator: ", ") }
        // The first promise is the installation itself.
        guard promises > 0 else { return nil }
        if (store.instance, store.key) != (recording.instance, recording.key) { return "another installation" }
        let contents = try await StoreContents(store)
        let made = recording.promised[promises - 1]
        // What came behind the last promise may stand or not, each step as a whole.
        let next = promises < recording.promised.count ? recording.promised[promises] : recording.expected.count - 1
        guard let standing = recording.expected[made...next].firstIndex(of: contents) else {
            return "revision \(contents.list.revision) after \(made) steps"
        }
        let lives = recording.expected[standing].writers.count
        let life = try await store.beginEpoch(writer: "next")
        return life == Epoch(Int64(lives + 1)) ? nil : "life \(life.number) after \(lives)"
    }

    @Test(arguments: [UInt64(1), 2])
    func `every promise survives a power cut at any point, and nothing half done is found`(seed: UInt64) async throws {
        let recording = try await PowerCutTests.recording(seed: seed)
        for (number, image) in recording.images.enumerated() {
            let fault = try await PowerCutTests.fault(of: image, in: recording)
            #expect(fault == nil, "cut \(number) in \(image.at) after \(image.promises) promises")
        }
        let places = Dictionary(grouping: recording.images, by: \.at).mapValues(\.count)
        #expect(recording.images.count >= 50, "\(places)")
        #expect(places["state.sqlite", default: 0] > 5 && places["state.sqlite-wal", default: 0] > 5, "\(places)")
    }

    @Test(arguments: ["OFF", "NORMAL"])
    func `a store that synced less than it promises would be found out`(synchronous: String) async throws {
        let recording = try await PowerCutTests.recording(seed: 4, synchronous: synchronous)
        for image in recording.images where try await PowerCutTests.fault(of: image, in: recording) != nil { return }
        Issue.record("\(recording.images.count) cuts, and no promise was lost")
    }
}
