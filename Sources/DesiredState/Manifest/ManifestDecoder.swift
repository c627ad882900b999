/// Turns one document into a manifest, and notes every fault on the way instead of stopping at the first.
struct ManifestDecoder {
    let source: String?
    private(set) var faults: [ManifestFault] = []

    init(source: String?) {
        self.source = source
    }

    /// `nil` if there are faults that leave no manifest; `faults` decides whether the result may be used.
    mutating func manifest(_ document: DocumentNode) -> Manifest? {
        guard
            let top = fields(
                document, at: "", allowed: ["apiVersion", "kind", "metadata", "spec", "status"],
                required: ["apiVersion", "kind", "metadata", "spec"])
        else { return nil }
        constant(top["apiVersion"], at: "apiVersion", FunctionApp.apiVersion)
        constant(top["kind"], at: "kind", FunctionApp.kind)
        let metadata = top["metadata"].flatMap { decodeMetadata($0) }
        let spec = top["spec"].flatMap { decodeSpec($0) }
        guard let metadata, let spec else { return nil }
        return Manifest(
            name: metadata.name, labels: metadata.labels, annotations: metadata.annotations, spec: spec,
            resourceVersion: metadata.resourceVersion)
    }

    // MARK: the record's parts

    /// Server-side fields (uid, generation, …) are accepted and ignored, so that the output of `get -o yaml` can be applied.
    private mutating func decodeMetadata(_ node: DocumentNode) -> (
        name: RecordName, labels: [String: String], annotations: [String: String], resourceVersion: Revision?
    )? {
        let serverSide = ["uid", "generation", "creationTimestamp", "deletionTimestamp", "finalizers"]
        guard
            let values = fields(
                node, at: "metadata", allowed: ["name", "labels", "annotations", "resourceVersion"] + serverSide,
                required: ["name"])
        else { return nil }
        let labels = values["labels"].map { stringMap($0, at: "metadata.labels") } ?? [:]
        let annotations = values["annotations"].map { stringMap($0, at: "metadata.annotations") } ?? [:]
        guard let nameNode = values["name"], let text = string(nameNode, at: "metadata.name") else { return nil }
        guard let name = RecordName(text) else {
            note(
                nameNode, "metadata.name",
                "\"\(text)\" is no name: 1 to 255 of a-z A-Z 0-9 _ . - beginning with a letter or digit")
            return nil
        }
        let revisionText = values["resourceVersion"].flatMap { string($0, at: "metadata.resourceVersion") }
        let revision = revisionText.flatMap { Revision(codedText: $0) }
        if revisionText != nil, revision == nil {
            note(values["resourceVersion"], "metadata.resourceVersion", "must be a whole number in quotes")
        }
        return (name, labels, annotations, revision)
    }

    private mutating func decodeSpec(_ node: DocumentNode) -> FunctionAppSpec? {
        let allowed = [
            "image", "command", "args", "env", "workingDir", "user", "stdin", "invocations", "run", "hosting", "azure",
            "suspend", "drift", "replacement", "deletionPolicy", "adoption", "stop",
        ]
        guard let values = fields(node, at: "spec", allowed: allowed, required: ["image"]) else { return nil }
        let image = values["image"].flatMap { decodeImage($0) }
        // Without an image there is no spec, but the other faults are worth telling all the same.
        guard var spec = (image ?? ManifestDecoder.anyImage).map({ FunctionAppSpec(image: $0) }) else { return nil }
        spec.command = values["command"].map { strings($0, at: "spec.command") } ?? []
        spec.args = values["args"].map { strings($0, at: "spec.args") } ?? []
        spec.env = values["env"].map { environment($0) } ?? []
        spec.workingDir = values["workingDir"].flatMap { string($0, at: "spec.workingDir") }
        spec.user = values["user"].flatMap { string($0, at: "spec.user") }
        spec.stdin = values["stdin"].flatMap { bool($0, at: "spec.stdin") } ?? false
        spec.invocations = values["invocations"].flatMap { int($0, at: "spec.invocations", in: 0...1_000_000) } ?? 1
        spec.run = values["run"].map { run($0) } ?? RunPolicy()
        spec.hosting = values["hosting"].map { hosting($0) } ?? Hosting()
        spec.azure = values["azure"].map { azure($0) } ?? AzureSettings()
        spec.suspend = values["suspend"].flatMap { suspension($0) }
        spec.drift = values["drift"].flatMap { choice($0, at: "spec.drift") } ?? spec.drift
        spec.replacement = values["replacement"].flatMap { choice($0, at: "spec.replacement") } ?? spec.replacement
        spec.deletionPolicy =
            values["deletionPolicy"].flatMap { choice($0, at: "spec.deletionPolicy") } ?? spec.deletionPolicy
        spec.adoption = values["adoption"].flatMap { choice($0, at: "spec.adoption") } ?? spec.adoption
        spec.stop = values["stop"].flatMap { stop($0) }
        if spec.command.isEmpty, spec.args.isEmpty {
            note(node, "spec", "command or args is needed: the image's own command is not read yet")
        }
        if let directory = spec.workingDir, !directory.hasPrefix("/") {
            note(values["workingDir"], "spec.workingDir", "\"\(directory)\" is not absolute")
        }
        return image == nil ? nil : spec
    }

    private static let anyImage = ImageReference(codedText: "scratch")

    private mutating func decodeImage(_ node: DocumentNode) -> ImageReference? {
        guard let text = string(node, at: "spec.image") else { return nil }
        do {
            return try ImageReference(parsing: text)
        } catch {
            note(node, "spec.image", "\"\(text)\": \(error)")
            return nil
        }
    }

    private mutating func run(_ node: DocumentNode) -> RunPolicy {
        var policy = RunPolicy()
        guard
            let values = fields(
                node, at: "spec.run",
                allowed: ["timeoutSeconds", "ttlSecondsAfterFinished", "delivery", "attemptLimit"], required: [])
        else { return policy }
        if let value = values["timeoutSeconds"].flatMap({ int($0, at: "spec.run.timeoutSeconds", in: 0...31_536_000) })
        {
            policy.timeoutSeconds = value
        }
        policy.ttlSecondsAfterFinished = values["ttlSecondsAfterFinished"].flatMap {
            int($0, at: "spec.run.ttlSecondsAfterFinished", in: 0...31_536_000)
        }
        policy.delivery = values["delivery"].flatMap { choice($0, at: "spec.run.delivery") } ?? policy.delivery
        policy.attemptLimit = RunPolicy.usualAttemptLimit(policy.delivery)
        if let node = values["attemptLimit"], let limit = int(node, at: "spec.run.attemptLimit", in: 1...1000) {
            if policy.delivery == .atMostOnce, limit > 1 {
                note(node, "spec.run.attemptLimit", "more than 1 needs delivery: AtLeastOnce")
            }
            policy.attemptLimit = limit
        }
        return policy
    }

    private mutating func suspension(_ node: DocumentNode) -> Suspension? {
        if case .bool(let isSuspended) = node.content { return isSuspended ? Suspension() : nil }
        guard let values = fields(node, at: "spec.suspend", allowed: ["by", "until", "reason"], required: []) else {
            return nil
        }
        let until = values["until"].flatMap { value in
            string(value, at: "spec.suspend.until").flatMap { text in
                let instant = Instant(rfc3339: text)
                if instant == nil { note(value, "spec.suspend.until", "must be a time like 2026-01-31T12:00:00Z") }
                return instant
            }
        }
        return Suspension(
            by: values["by"].flatMap { string($0, at: "spec.suspend.by") }, until: until,
            reason: values["reason"].flatMap { string($0, at: "spec.suspend.reason") })
    }

    private mutating func hosting(_ node: DocumentNode) -> Hosting {
        guard
            let values = fields(node, at: "spec.hosting", allowed: ["plan", "managedEnvironment"], required: [])
        else { return Hosting() }
        if values["plan"] != nil, let environment = values["managedEnvironment"] {
            note(environment, "spec.hosting", "name a plan or a managedEnvironment, not both")
        }
        return Hosting(
            plan: values["plan"].flatMap { string($0, at: "spec.hosting.plan") },
            managedEnvironment: values["managedEnvironment"].flatMap {
                string($0, at: "spec.hosting.managedEnvironment")
            })
    }

    private mutating func azure(_ node: DocumentNode) -> AzureSettings {
        guard let values = fields(node, at: "spec.azure", allowed: ["appSettings", "tags"], required: []) else {
            return AzureSettings()
        }
        let settings = AzureSettings(
            appSettings: values["appSettings"].map { stringMap($0, at: "spec.azure.appSettings") } ?? [:],
            tags: values["tags"].map { stringMap($0, at: "spec.azure.tags") } ?? [:])
        for key in settings.appSettings.keys.sorted()
        where key.uppercased().hasPrefix("SKLS_") || key.uppercased().hasPrefix("WEBSITES_") {
            note(values["appSettings"], "spec.azure.appSettings.\(key)", "belongs to skls; take another name")
        }
        for (key, value) in settings.tags.sorted(by: { $0.key < $1.key }) {
            if key.lowercased().hasPrefix("skls-") || key.lowercased().hasPrefix("hidden-") {
                note(
                    values["tags"], "spec.azure.tags.\(key)", "tags that begin with skls- or hidden- are not for users")
            } else if key.utf16.count > 512 || value.utf16.count > 256 {
                note(
                    values["tags"], "spec.azure.tags.\(key)",
                    "longer than Azure allows (name 512, value 256 characters)")
            }
        }
        if settings.tags.count > 40 {
            note(values["tags"], "spec.azure.tags", "more than 40; Azure allows 50 and skls needs some")
        }
        return settings
    }

    private mutating func stop(_ node: DocumentNode) -> StopRequest? {
        guard
            let values = fields(node, at: "spec.stop", allowed: ["run", "signal", "graceSeconds"], required: ["run"]),
            let run = values["run"].flatMap({ int($0, at: "spec.stop.run", in: 1...1_000_000) })
        else { return nil }
        var request = StopRequest(run: run)
        if let signal = values["signal"].flatMap({ string($0, at: "spec.stop.signal") }) { request.signal = signal }
        if let grace = values["graceSeconds"].flatMap({ int($0, at: "spec.stop.graceSeconds", in: 0...86_400) }) {
            request.graceSeconds = grace
        }
        return request
    }

    private mutating func environment(_ node: DocumentNode) -> [EnvironmentVariable] {
        guard case .sequence(let items) = node.content else {
            note(node, "spec.env", "must be a list of name and value, not \(node.kindText)")
            return []
        }
        return items.enumerated().compactMap { index, item -> EnvironmentVariable? in
            let field = "spec.env[\(index)]"
            guard let values = fields(item, at: field, allowed: ["name", "value"], required: ["name", "value"]),
                let name = values["name"].flatMap({ string($0, at: field + ".name") }),
                let value = values["value"].flatMap({ string($0, at: field + ".value") })
            else { return nil }
            guard !name.isEmpty, !name.contains("="), !name.contains("\0"), !value.contains("\0") else {
                note(item, field, "a name must not be empty or hold = or NUL, nor a value NUL")
                return nil
            }
            return EnvironmentVariable(name: name, value: value)
        }
    }

    // MARK: values

    /// The mapping's values by key; notes unknown and missing keys. `nil` when it is no mapping.
    private mutating func fields(_ node: DocumentNode, at field: String, allowed: [String], required: [String])
        -> [String: DocumentNode]?
    {
        guard case .mapping(let entries) = node.content else {
            note(node, field, "must be a mapping, not \(node.kindText)")
            return nil
        }
        var values: [String: DocumentNode] = [:]
        for (key, value) in entries {
            guard case .string(let name) = key.content, allowed.contains(name) else {
                let name = if case .string(let text) = key.content { "\"\(text)\"" } else { key.kindText }
                note(key, field, "unknown key \(name); allowed: \(allowed.sorted().joined(separator: ", "))")
                continue
            }
            if case .null = value.content { continue }  // as in Kubernetes: given without a value is not given
            values[name] = value
        }
        for name in required where values[name] == nil {
            note(node, field.isEmpty ? name : field + "." + name, "is missing")
        }
        return values
    }

    private mutating func constant(_ node: DocumentNode?, at field: String, _ expected: String) {
        guard let node, let text = string(node, at: field), text != expected else { return }
        note(node, field, "must be \(expected), not \"\(text)\"")
    }

    private mutating func string(_ node: DocumentNode, at field: String) -> String? {
        switch node.content {
        case .string(let text): return text
        case .bool, .int, .other: note(node, field, "must be a string, not \(node.kindText); put it in quotes")
        case .null, .sequence, .mapping: note(node, field, "must be a string, not \(node.kindText)")
        }
        return nil
    }

    private mutating func strings(_ node: DocumentNode, at field: String) -> [String] {
        guard case .sequence(let items) = node.content else {
            note(node, field, "must be a list of strings, not \(node.kindText)")
            return []
        }
        return items.enumerated().compactMap { index, item in string(item, at: "\(field)[\(index)]") }
    }

    private mutating func stringMap(_ node: DocumentNode, at field: String) -> [String: String] {
        guard case .mapping(let entries) = node.content else {
            note(node, field, "must be a mapping of strings, not \(node.kindText)")
            return [:]
        }
        var values: [String: String] = [:]
        for (key, value) in entries {
            guard let name = string(key, at: field), let text = string(value, at: "\(field).\(name)") else { continue }
            values[name] = text
        }
        return values
    }

    private mutating func bool(_ node: DocumentNode, at field: String) -> Bool? {
        if case .bool(let value) = node.content { return value }
        note(node, field, "must be true or false, not \(node.kindText)")
        return nil
    }

    /// One of an enumeration's words.
    private mutating func choice<Value: RawRepresentable & CaseIterable>(
        _ node: DocumentNode, at field: String
    ) -> Value? where Value.RawValue == String {
        guard let text = string(node, at: field) else { return nil }
        if let value = Value(rawValue: text) { return value }
        note(node, field, "must be \(Value.allCases.map(\.rawValue).joined(separator: " or ")), not \"\(text)\"")
        return nil
    }

    private mutating func int(_ node: DocumentNode, at field: String, in range: ClosedRange<Int>) -> Int? {
        guard case .int(let value) = node.content else {
            note(node, field, "must be a whole number, not \(node.kindText)")
            return nil
        }
        guard range.contains(value) else {
            note(node, field, "must be from \(range.lowerBound) to \(range.upperBound), not \(value)")
            return nil
        }
        return value
    }

    private mutating func note(_ node: DocumentNode?, _ field: String, _ message: String) {
        faults.append(
            ManifestFault(source: source, line: node?.line, column: node?.column, field: field, message: message))
    }
}
