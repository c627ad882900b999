/// The fields of one message, taken by name; one that nobody takes makes the message wrong.
struct SessionFields {
    static let factPrefix = "fact."
    private var values: [String: [String]] = [:]

    init(_ bytes: UnsafeRawBufferPointer) throws(FieldError) {
        var reader = FieldReader(bytes: bytes)
        while let (name, value) = try reader.next() { values[name, default: []].append(value) }
    }

    func has(_ name: String) -> Bool { values[name] != nil }

    /// A field that is there once.
    mutating func text(_ name: String) throws(FieldError) -> String {
        guard let all = values.removeValue(forKey: name), all.count == 1 else {
            throw FieldError(description: "\(name) is not there once")
        }
        return all[0]
    }

    mutating func optionalText(_ name: String) throws(FieldError) -> String? {
        has(name) ? try text(name) : nil
    }

    /// All values of a field that may be repeated, in order.
    mutating func list(_ name: String) -> [String] {
        values.removeValue(forKey: name) ?? []
    }

    /// In its shortest decimal form.
    mutating func number<Number: FixedWidthInteger>(_ name: String) throws(FieldError) -> Number {
        let text = try text(name)
        guard let number = Number(text), String(number) == text else {
            throw FieldError(description: "\(name) is no number")
        }
        return number
    }

    mutating func digits(_ name: String, count: Int) throws(FieldError) -> String {
        let text = try text(name)
        guard text.utf8.count == count, Hex.decode(text) != nil else {
            throw FieldError(description: "\(name) has not \(count) digits")
        }
        return text
    }

    /// `1`, or missing.
    mutating func flag(_ name: String) throws(FieldError) -> Bool {
        guard let text = try optionalText(name) else { return false }
        guard text == "1" else { throw FieldError(description: "\(name) is not 1") }
        return true
    }

    mutating func facts(limit: Int) throws(FieldError) -> [String: String] {
        var facts: [String: String] = [:]
        for name in values.keys.filter({ $0.hasPrefix(Self.factPrefix) }) {
            facts[String(name.dropFirst(Self.factPrefix.count))] = try text(name)
        }
        guard facts.count <= limit else { throw FieldError(description: "too many facts") }
        return facts
    }

    func checkAllTaken() throws(FieldError) {
        guard values.isEmpty else { throw FieldError(description: "unknown field") }
    }
}

extension SessionOpen {
    private enum Kind: String {
        case exec
        case stat
        case archive
        case extract
        case export
        case changes
        case processes
        case stats
    }

    func write(to fields: inout FieldWriter) {
        fields.append("name", name.hex)
        fields.append("offset", offset)
        if isKnown { fields.append("known", "1") }
        func begin(_ kind: Kind) { fields.append("task", kind.rawValue) }
        switch task {
        case .exec(let request):
            begin(.exec)
            for argument in request.arguments { fields.append("argv", argument) }
            for entry in request.environment { fields.append("env", entry) }
            fields.append("workdir", request.workingDirectory)
            if let user = request.user { fields.append("user", user) }
            if request.opensStdin { fields.append("stdin", "1") }
            if let terminal = request.terminal { fields.append("tty", terminal.description) }
        case .stat(let path):
            begin(.stat)
            fields.append("path", path)
        case .archive(let path):
            begin(.archive)
            fields.append("path", path)
        case .extract(let path, let noOverwriteDirNonDir, let copiesOwners):
            begin(.extract)
            fields.append("path", path)
            if noOverwriteDirNonDir { fields.append("no-overwrite", "1") }
            if copiesOwners { fields.append("owners", "1") }
        case .export: begin(.export)
        case .changes: begin(.changes)
        case .processes(let arguments):
            begin(.processes)
            fields.append("arguments", arguments)
        case .stats(let once):
            begin(.stats)
            if once { fields.append("once", "1") }
        }
    }

    init(_ fields: inout SessionFields) throws(FieldError) {
        guard let name = SessionTaskName(try fields.text("name")) else { throw FieldError(description: "no name") }
        guard let kind = Kind(rawValue: try fields.text("task")) else { throw FieldError(description: "unknown task") }
        let offset: UInt64 = try fields.number("offset")
        let isKnown = try fields.flag("known")
        self.init(name: name, offset: offset, isKnown: isKnown, task: try Self.task(kind, &fields))
    }

    private static func task(_ kind: Kind, _ fields: inout SessionFields) throws(FieldError) -> SessionTask {
        switch kind {
        case .exec: return .exec(try exec(&fields))
        case .stat: return .stat(path: try path(&fields))
        case .archive: return .archive(path: try path(&fields))
        case .extract:
            let path = try path(&fields)
            let keepsKinds = try fields.flag("no-overwrite")
            return .extract(path: path, noOverwriteDirNonDir: keepsKinds, copiesOwners: try fields.flag("owners"))
        case .export: return .export
        case .changes: return .changes
        case .processes: return .processes(arguments: try fields.text("arguments"))
        case .stats: return .stats(once: try fields.flag("once"))
        }
    }

    private static func exec(_ fields: inout SessionFields) throws(FieldError) -> ExecRequest {
        var request = ExecRequest(arguments: fields.list("argv"), environment: fields.list("env"))
        request.workingDirectory = try fields.text("workdir")
        request.user = try fields.optionalText("user")
        request.opensStdin = try fields.flag("stdin")
        if let text = try fields.optionalText("tty") {
            guard let size = TerminalSize(text) else { throw FieldError(description: "tty is not ROWSxCOLUMNS") }
            request.terminal = size
        }
        do throws(RunRequestError) {
            try RunRequest(request).validate()
        } catch {
            throw FieldError(description: error.description)
        }
        return request
    }

    private static func path(_ fields: inout SessionFields) throws(FieldError) -> String {
        let path = try fields.text("path")
        guard path.utf8.first == UInt8(ascii: "/"), !path.utf8.contains(0) else {
            throw FieldError(description: "path is not absolute, or has a NUL byte")
        }
        return path
    }
}

extension RunRequest {
    /// The same command as a run of its own.
    package init(_ request: ExecRequest) {
        self.init(
            arguments: request.arguments, environment: request.environment, workingDirectory: request.workingDirectory,
            user: request.user, opensStdin: request.opensStdin, terminal: request.terminal)
    }
}
