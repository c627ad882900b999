/// Turns documents into manifests, and notes every fault on the way instead of stopping at the first.
struct ManifestDecoder {
    let source: String?
    private(set) var faults: [ManifestFault] = []
    /// Of all records, also of those that have faults.
    private(set) var names: [DeclaredName] = []
    /// In front of every field: `items[2].` inside a list.
    private var prefix = ""

    init(source: String?) {
        self.source = source
    }

    /// `faults` decides whether the result may be used.
    mutating func manifests(in documents: [DocumentNode]) -> [Manifest] {
        var manifests: [Manifest] = []
        for document in documents where !document.isNull { manifests += self.manifests(of: document) }
        return manifests
    }

    private mutating func manifests(of document: DocumentNode) -> [Manifest] {
        guard let kind = listKind(document) else { return manifest(document).map { [$0] } ?? [] }
        guard let values = fields(document, at: "", ManifestKeys.list) else { return [] }
        let versions = kind == "List" ? ["v1", FunctionApp.apiVersion] : [FunctionApp.apiVersion]
        constant(values["apiVersion"], at: "apiVersion", versions)
        guard let node = values["items"] else { return [] }
        guard case .sequence(let items) = node.content else {
            note(node, "items", "must be a list of records, not \(node.kindText)")
            return []
        }
        return items.enumerated().compactMap { index, item in
            prefix = "items[\(index)]."
            defer { prefix = "" }
            return manifest(item)
        }
    }

    /// The kind, if it is that of a list of records.
    private func listKind(_ document: DocumentNode) -> String? {
        guard case .mapping(let entries) = document.content else { return nil }
        for (key, value) in entries {
            if case .string("kind") = key.content, case .string(let kind) = value.content,
                ManifestKeys.listKinds.contains(kind)
            {
                return kind
            }
        }
        return nil
    }

    private mutating func manifest(_ document: DocumentNode) -> Manifest? {
        guard let top = fields(document, at: "") else { return nil }
        constant(top["apiVersion"], at: "apiVersion", [FunctionApp.apiVersion])
        constant(top["kind"], at: "kind", [FunctionApp.kind])
        let metadata = top["metadata"].flatMap { decodeMetadata($0) }
        let spec = top["spec"].flatMap { decodeSpec($0) }
        guard let metadata, let spec else { return nil }
        return Manifest(
            name: metadata.name, labels: metadata.labels, annotations: metadata.annotations, spec: spec,
            resourceVersion: metadata.resourceVersion)
    }

    // MARK: the record's parts

    private mutating func decodeMetadata(_ node: DocumentNode) -> (
        name: RecordName, labels: [String: String], annotations: [String: String], resourceVersion: Revision?
    )? {
        guard let values = fields(node, at: "metadata") else { return nil }
        let labels = values["labels"].map { stringMap($0, at: "metadata.labels") } ?? [:]
        let annotations = values["annotations"].map { stringMap($0, at: "metadata.annotations") } ?? [:]
        let size = annotations.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
        if size > ManifestDecoder.maximumAnnotationBytes {
            note(
                values["annotations"], "metadata.annotations",
                "\(size) bytes in all; at most \(ManifestDecoder.maximumAnnotationBytes) are allowed")
        }
        let revisionText = values["resourceVersion"].flatMap { string($0, at: "metadata.resourceVersion") }
        let revision = revisionText.flatMap { Revision(codedText: $0) }
        if let revisionText, revision == nil {
            note(
                values["resourceVersion"], "metadata.resourceVersion",
                "must be a whole number in quotes, as \"get\" printed it, not \(quoted(revisionText))")
        }
        guard let nameNode = values["name"], let text = string(nameNode, at: "metadata.name") else { return nil }
        guard let name = RecordName(text) else {
            note(
                nameNode, "metadata.name",
                "\(quoted(text)) is no name: 1 to 255 of a-z A-Z 0-9 _ . - beginning with a letter or digit")
            return nil
        }
        names.append(
            DeclaredName(
                name: name, field: prefix + "metadata.name", source: source, line: nameNode.line,
                column: nameNode.column))
        return (name, labels, annotations, revision)
    }

    /// Kubernetes' bound (`apimachinery/pkg/api/validation`, TotalAnnotationSizeLimitB), which keeps records readable.
    private static let maximumAnnotationBytes = 256 << 10

    private mutating func decodeSpec(_ node: DocumentNode) -> FunctionAppSpec? {
        guard let values = fields(node, at: "spec") else { return nil }
        let image = values["image"].flatMap { decodeImage($0) }
        // Without an image there is no spec, but the other faults are worth telling all the same.
        guard var spec = (image ?? ManifestDecoder.anyImage).map({ FunctionAppSpec(image: $0) }) else { return nil }
        spec.command = values["command"].map { strings($0, at: "spec.command") } ?? []
        spec.args = values["args"].map { strings($0, at: "spec.args") } ?? []
        spec.env = values["env"].map { environment($0) } ?? []
        spec.workingDir = values["workingDir"].flatMap { string($0, at: "spec.workingDir") }
        spec.user = values["user"].flatMap { user($0) }
        spec.stdin = values["stdin"].flatMap { bool($0, at: "spec.stdin") } ?? false
        spec.tty = values["tty"].flatMap { bool($0, at: "spec.tty") } ?? false
        spec.invocations = values["invocations"].flatMap { int($0, at: "spec.invocations", in: 0...1_000_000) } ?? 1
        spec.run = values["run"].map { run($0) } ?? RunPolicy()
        spec.volumes = values["volumes"].map { volumes($0) } ?? []
        spec.hosting = values["hosting"].map { hosting($0) } ?? Hosting()
        if !spec.volumes.isEmpty, spec.hosting.managedEnvironment != nil {
            note(
                values["volumes"], "spec.volumes",
                "Function Apps in a Container Apps environment mount no shares; take a plan")
        }
        spec.azure = values["azure"].map { azure($0) } ?? AzureSettings()
        spec.suspend = values["suspend"].flatMap { suspension($0) }
        spec.drift = values["drift"].flatMap { choice($0, at: "spec.drift") } ?? spec.drift
        spec.replacement = values["replacement"].flatMap { choice($0, at: "spec.replacement") } ?? spec.replacement
        spec.deletionPolicy =
            values["deletionPolicy"].flatMap { choice($0, at: "spec.deletionPolicy") } ?? spec.deletionPolicy
        spec.adoption = values["adoption"].flatMap { choice($0, at: "spec.adoption") } ?? spec.adoption
        spec.stop = values["stop"].flatMap { stop($0) }
        if values["command"].isEmptyList, values["args"].isEmptyList {
            note(
                node, "spec",
                "command or args is missing; one of them is needed, since the image's own command is not read yet")
        }
        if let directory = spec.workingDir, !directory.hasPrefix("/") {
            note(
                values["workingDir"], "spec.workingDir",
                "\(quoted(directory)) is not absolute; it must begin with /")
        }
        return image == nil ? nil : spec
    }

    private static let anyImage = ImageReference(codedText: "scratch")

    private mutating func decodeImage(_ node: DocumentNode) -> ImageReference? {
        guard let text = string(node, at: "spec.image") else { return nil }
        do {
            return try ImageReference(parsing: text)
        } catch {
            note(node, "spec.image", "\(quoted(text)): \(error)")
            return nil
        }
    }

    private mutating func run(_ node: DocumentNode) -> RunPolicy {
        var policy = RunPolicy()
        guard let values = fields(node, at: "spec.run") else { return policy }
        if let value = values["timeoutSeconds"].flatMap({ seconds($0, at: "spec.run.timeoutSeconds") }) {
            policy.timeoutSeconds = value
        }
        policy.ttlSecondsAfterFinished = values["ttlSecondsAfterFinished"].flatMap {
            seconds($0, at: "spec.run.ttlSecondsAfterFinished")
        }
        policy.delivery = values["delivery"].flatMap { choice($0, at: "spec.run.delivery") } ?? policy.delivery
        policy.attemptLimit = RunPolicy.usualAttemptLimit(policy.delivery)
        if let node = values["attemptLimit"], let limit = int(node, at: "spec.run.attemptLimit", in: 1...1000) {
            if policy.delivery == .atMostOnce, limit > 1 {
                note(
                    node, "spec.run.attemptLimit",
                    "\(limit) attempts need delivery: AtLeastOnce; with AtMostOnce only 1 is allowed")
            }
            policy.attemptLimit = limit
        }
        return policy
    }

    private mutating func suspension(_ node: DocumentNode) -> Suspension? {
        if case .bool(let isSuspended) = node.content { return isSuspended ? Suspension() : nil }
        guard case .mapping = node.content else {
            note(
                node, "spec.suspend", "must be true, false, or a mapping of by, until and reason, not \(node.kindText)")
            return nil
        }
        guard let values = fields(node, at: "spec.suspend") else { return nil }
        return Suspension(
            by: values["by"].flatMap { string($0, at: "spec.suspend.by") },
            until: values["until"].flatMap { time($0, at: "spec.suspend.until") },
            reason: values["reason"].flatMap { string($0, at: "spec.suspend.reason") })
    }

    private mutating func stop(_ node: DocumentNode) -> StopRequest? {
        guard let values = fields(node, at: "spec.stop") else { return nil }
        let run = values["run"].flatMap { int($0, at: "spec.stop.run", in: 1...1_000_000) }
        var request = StopRequest(run: run ?? 1)
        if let node = values["signal"], let signal = string(node, at: "spec.stop.signal") {
            if !ManifestDecoder.isSignal(signal) {
                note(
                    node, "spec.stop.signal",
                    "\(quoted(signal)) is no signal; a name such as TERM, INT or KILL, or \"1\" to \"64\" is allowed")
            }
            request.signal = signal
        }
        if let grace = values["graceSeconds"].flatMap({ seconds($0, at: "spec.stop.graceSeconds", atMost: 86_400) }) {
            request.graceSeconds = grace
        }
        return run == nil ? nil : request
    }

    private static func isSignal(_ text: String) -> Bool {
        if let number = Int(text) { return (1...64).contains(number) }
        let name = text.uppercased()
        return signals.contains(name.hasPrefix("SIG") ? String(name.dropFirst(3)) : name)
    }

    /// Of Linux (signal(7)), without the real-time ones' names.
    private static let signals: Set<String> = [
        "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "IOT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE",
        "ALRM", "TERM", "STKFLT", "CHLD", "CLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ",
        "VTALRM", "PROF", "WINCH", "IO", "POLL", "PWR", "SYS",
    ]

    private mutating func user(_ node: DocumentNode) -> String? {
        guard let text = string(node, at: "spec.user") else { return nil }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        if parts.count > 2 || parts.contains(where: { $0.isEmpty || $0.contains(where: \.isWhitespace) }) {
            note(node, "spec.user", "\(quoted(text)) is no user; NAME, UID, NAME:GROUP or UID:GID is allowed")
        }
        return text
    }

    private mutating func environment(_ node: DocumentNode) -> [EnvironmentVariable] {
        guard case .sequence(let items) = node.content else {
            note(node, "spec.env", "must be a list of {name: …, value: …}, not \(node.kindText)")
            return []
        }
        var places: [String: DocumentNode] = [:]
        return items.enumerated().compactMap { index, item -> EnvironmentVariable? in
            let field = "spec.env[\(index)]"
            guard let values = fields(item, at: field) else { return nil }
            let value = values["value"].flatMap { string($0, at: field + ".value") }
            guard let nameNode = values["name"], let name = string(nameNode, at: field + ".name") else { return nil }
            if name.isEmpty || name.contains("=") || name.unicodeScalars.contains(where: { $0.value < 0x20 }) {
                note(
                    nameNode, field + ".name",
                    "\(quoted(name)) is no name of a variable; it must not be empty nor hold = or control characters")
            }
            if let first = places[name] {
                note(nameNode, field + ".name", "\(name) is given already, at \(first.line):\(first.column)")
            }
            places[name] = places[name] ?? nameNode
            if value?.contains("\0") == true {
                note(values["value"], field + ".value", "must not hold the character NUL")
            }
            return value.map { EnvironmentVariable(name: name, value: $0) }
        }
    }

    private mutating func volumes(_ node: DocumentNode) -> [VolumeMount] {
        guard case .sequence(let items) = node.content else {
            note(node, "spec.volumes", "must be a list of {name: …, mountPath: …}, not \(node.kindText)")
            return []
        }
        if items.count > VolumeMount.maximumCount {
            note(
                node, "spec.volumes",
                "\(items.count) volumes; App Service mounts at most \(VolumeMount.maximumCount) into a Function App")
        }
        var places: [String: DocumentNode] = [:]
        return items.enumerated().compactMap { index, item -> VolumeMount? in
            let field = "spec.volumes[\(index)]"
            guard let values = fields(item, at: field) else { return nil }
            let name = values["name"].flatMap { node in
                string(node, at: field + ".name").flatMap { text -> VolumeName? in
                    let name = VolumeName(text)
                    if name == nil {
                        note(
                            node, field + ".name",
                            "\(quoted(text)) is no name of a volume: 2 to 255 of a-z A-Z 0-9 _ . - beginning with a letter or digit"
                        )
                    }
                    return name
                }
            }
            guard let node = values["mountPath"], let text = string(node, at: field + ".mountPath") else { return nil }
            guard text.hasPrefix("/") else {
                note(node, field + ".mountPath", "\(quoted(text)) is not absolute; it must begin with /")
                return nil
            }
            let path = VolumeMount.cleaned(text)
            if let refusal = VolumeMount.refusal(of: path) { note(node, field + ".mountPath", refusal) }
            if let first = places[path] {
                note(node, field + ".mountPath", "\(path) is given already, at \(first.line):\(first.column)")
            }
            places[path] = places[path] ?? node
            return name.map { VolumeMount(name: $0, mountPath: path) }
        }
    }

    // MARK: noting

    mutating func note(_ node: DocumentNode?, _ field: String, _ message: String) {
        let path = field.isEmpty && prefix.hasSuffix(".") ? String(prefix.dropLast()) : prefix + field
        faults.append(
            ManifestFault(source: source, line: node?.line, column: node?.column, field: path, message: message))
    }

    mutating func note(_ fault: ManifestFault) {
        faults.append(fault)
    }
}

extension DocumentNode? {
    /// A list without items, or nothing at all. What is no list has a fault of its own.
    fileprivate var isEmptyList: Bool {
        switch self?.content {
        case nil: true
        case .sequence(let items): items.isEmpty
        default: false
        }
    }
}
