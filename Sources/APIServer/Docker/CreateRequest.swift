import DesiredState

/// A `containers/create` that was understood and can be carried out.
struct CreateRequest: Hashable, Sendable {
    private(set) var image: ImageReference
    private(set) var spec: FunctionAppSpec
    let labels: [String: String]
    /// What Docker's clients get back by inspect and the record has no place for: `Config`, `HostConfig` and `NetworkingConfig` as they came.
    let configuration: DockerConfiguration
    let mounts: [MountRequests.Mount]
    /// Shown by the CLI: what is accepted and has no effect.
    let warnings: [String]

    /// Throws Docker's refusals. Every field is optional on the wire but `Image`; see ``checkCommand()``.
    init(body: JSON) throws(DockerError) {
        guard case .object = body else {
            throw .badParameter("invalid JSON: the body must be an object, not \(body.kind)")
        }
        guard let imageText = try body.string("Image"), !imageText.isEmpty else {
            throw .badParameter("no image specified")
        }
        do throws(InvalidImageReference) {
            image = try ImageReference(parsing: imageText)
        } catch {
            throw .badParameter("\(error)")
        }
        let host = body["HostConfig"] ?? .object([])
        warnings = try FieldPolicy.check(body: body, host: host)
        mounts = try MountRequests(body: body, host: host).mounts

        var spec = FunctionAppSpec(image: image)
        spec.command = try CreateRequest.command(body, "Entrypoint")
        spec.args = try CreateRequest.command(body, "Cmd")
        spec.env = try CreateRequest.environment(body)
        spec.workingDir = try body.string("WorkingDir").flatMap { $0.isEmpty ? nil : $0 }
        if let directory = spec.workingDir, !directory.hasPrefix("/") {
            throw .badParameter(
                "the working directory '\(directory)' is invalid, it needs to be an absolute path")
        }
        spec.user = try body.string("User").flatMap { $0.isEmpty ? nil : $0 }
        spec.stdin = try body.bool("OpenStdin")
        spec.tty = try body.bool("Tty")
        spec.invocations = 0
        if try host.bool("AutoRemove") { spec.run.ttlSecondsAfterFinished = 0 }
        self.spec = spec
        labels = try CreateRequest.labels(body)
        configuration = DockerConfiguration(createBody: body)
    }

    /// Throws when there is nothing to execute. To be asked when the image is known, since clients pull one that is not before they hear this.
    func checkCommand() throws(DockerError) {
        guard spec.command.isEmpty, spec.args.isEmpty else { return }
        throw .badParameter(
            "no command specified: images' own commands are not read yet, so give one behind the image (docker run IMAGE COMMAND)"
        )
    }

    /// Another reference is what Azure pulls.
    mutating func pull(_ source: ImageReference) {
        image = source
        spec.image = source
    }

    func record(name: RecordName, uid: UID, at instant: Instant) -> FunctionApp {
        var annotations = [DockerConfiguration.annotation: configuration.text]
        if configuration.hostConfig["LogConfig"]?["Type"] == .string(LogDriver.none.rawValue) {
            annotations[FunctionApp.logAnnotation] = LogDriver.none.rawValue
        }
        return FunctionApp(
            metadata: Metadata(
                name: name, uid: uid, labels: labels, annotations: annotations, creationTimestamp: instant),
            spec: spec)
    }

    /// A string stands for a list of one (moby v28, `api/types/strslice`). `[""]` is how the CLI writes "none".
    private static func command(_ body: JSON, _ name: String) throws(DockerError) -> [String] {
        let words: [String]
        switch body[name] {
        case nil, .null: return []
        case .string(let word): words = [word]
        case .some: words = try body.strings(name)
        }
        if words.contains(where: { $0.utf8.contains(0) }) { throw .badParameter("\(name) holds a NUL character") }
        return words == [""] ? [] : words
    }

    /// The last value of a name counts. A name without `=` asks to remove it from the image's environment, of which commands are given nothing: it is
    /// only shown (``DockerConfiguration/removedVariables``).
    private static func environment(_ body: JSON) throws(DockerError) -> [EnvironmentVariable] {
        var variables: [EnvironmentVariable] = []
        for entry in try body.strings("Env") {
            guard let separator = entry.firstIndex(of: "=") else { continue }
            let name = String(entry[..<separator])
            guard !name.isEmpty, !entry.utf8.contains(0) else {
                throw .badParameter("invalid environment variable: \(name.isEmpty ? "=…" : name)")
            }
            variables.removeAll { $0.name == name }
            variables.append(EnvironmentVariable(name: name, value: String(entry[entry.index(after: separator)...])))
        }
        return variables
    }

    private static func labels(_ body: JSON) throws(DockerError) -> [String: String] {
        guard let value = body["Labels"], !value.isNull else { return [:] }
        guard case .object(let members) = value else { throw .wrongType("Labels", value, expected: "object") }
        var labels: [String: String] = [:]
        for member in members {
            guard case .string(let text) = member.value else {
                throw .wrongType("Labels.\(member.name)", member.value, expected: "string")
            }
            labels[member.name] = text
        }
        return labels
    }
}

// MARK: typed members, with Docker's complaint about wrong ones

extension JSON {
    func string(_ name: String) throws(DockerError) -> String? {
        switch self[name] {
        case nil, .null: return nil
        case .string(let text): return text
        case .some(let other): throw .wrongType(name, other, expected: "string")
        }
    }

    func bool(_ name: String) throws(DockerError) -> Bool {
        switch self[name] {
        case nil, .null: return false
        case .bool(let value): return value
        case .some(let other): throw .wrongType(name, other, expected: "bool")
        }
    }

    func strings(_ name: String) throws(DockerError) -> [String] {
        switch self[name] {
        case nil, .null: return []
        case .array(let items):
            var texts: [String] = []
            for item in items {
                guard case .string(let text) = item else { throw .wrongType(name, item, expected: "string") }
                texts.append(text)
            }
            return texts
        case .some(let other): throw .wrongType(name, other, expected: "array of strings")
        }
    }
}

extension DockerError {
    fileprivate static func wrongType(_ name: String, _ value: JSON, expected: String) -> DockerError {
        .badParameter("invalid JSON: cannot use a \(value.kind) for the field \(name), which is of type \(expected)")
    }
}
