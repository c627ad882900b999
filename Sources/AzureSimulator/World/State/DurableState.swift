import FoundationEssentials

/// One part of what the World keeps on disk: a name, and how to take it out of a World and put it back.
///
/// Each service has its own part beside its code and lists it in `DurablePart.all`. What is not in a part is lost with
/// the process: containers, requests under way, counters of quotas.
struct DurablePart: Sendable {
    let name: String
    fileprivate let save: @Sendable (World) throws -> Data
    fileprivate let restore: @Sendable (inout World, Data, Instant) throws -> Void

    /// - Parameters:
    ///   - save: the part's value now.
    ///   - restore: puts the value back into a new World. Effects, such as starts of containers, are appended to the
    ///     World's `effects` as in any step.
    init<Value: Codable & Sendable>(
        _ name: String, save: @escaping @Sendable (World) -> Value,
        restore: @escaping @Sendable (inout World, Value, Instant) -> Void
    ) {
        self.name = name
        self.save = { world in
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            return try encoder.encode(save(world))
        }
        self.restore = { world, data, now in
            restore(&world, try JSONDecoder().decode(Value.self, from: data), now)
        }
    }

    /// Every part, in the order in which they are put back.
    static let all: [DurablePart] = [
        .identity, .environments, .web, .subscription, .storage, .identities, .logs, .graph,
    ]
}

extension World {
    /// The version of the file's form.
    private static let format = 1

    /// Everything that outlives the process, as one JSON document. Secrets are in it: the file is its owner's alone.
    /// - Throws: `SimulatorError` with the code `state` for a part that has no JSON form, which is an error of ours.
    func snapshot() throws(SimulatorError) -> [UInt8] {
        var bytes = Array("{\"format\":\(Self.format)".utf8)
        for part in DurablePart.all {
            do {
                bytes += Array(",\n\"\(part.name)\":".utf8) + Array(try part.save(self))
            } catch {
                throw SimulatorError(code: .state, message: "cannot write the state's part '\(part.name)': \(error)")
            }
        }
        return bytes + Array("}\n".utf8)
    }

    /// Puts a snapshot into a new World. Parts that the snapshot lacks keep what they have; unknown ones are ignored.
    /// - Returns: what is to be done next, such as containers to start.
    /// - Throws: `SimulatorError` with the code `state` for a document that is no snapshot, or is of another format.
    mutating func restore(_ snapshot: [UInt8], at now: Instant) throws(SimulatorError) -> [Effect] {
        effects.removeAll()
        let document: JSON
        do throws(JSON.SyntaxError) { document = try JSON(parsing: snapshot) } catch {
            throw SimulatorError(
                code: .state, message: "the simulator's state is not JSON: \(error.message) at offset \(error.offset)")
        }
        guard case .number(String(Self.format)) = document["format"] else {
            throw SimulatorError(code: .state, message: "the simulator's state is of another version")
        }
        for part in DurablePart.all {
            guard let value = document[part.name] else { continue }
            do { try part.restore(&self, Data(value.encoded), now) } catch {
                throw SimulatorError(code: .state, message: "cannot read the state's part '\(part.name)': \(error)")
            }
        }
        return effects
    }
}

extension JSON: Codable {
    /// Kept as one string of JSON text: order of members and the text of numbers survive any coder.
    init(from decoder: any Decoder) throws {
        self = try JSON(parsing: Array(try decoder.singleValueContainer().decode(String.self).utf8))
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(String(decoding: encoded, as: UTF8.self))
    }
}
