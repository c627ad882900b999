/// The keys that each mapping of a manifest may have. `docs/manifests.md` describes the same keys, which a test compares.
package enum ManifestKeys {
    struct Mapping {
        let allowed: [String]
        let required: [String]
        /// Set by the server: read and passed over, so that the output of `get -o yaml` can be applied.
        let ignored: [String]

        init(_ allowed: [String], required: [String] = [], ignored: [String] = []) {
            self.allowed = allowed
            self.required = required
            self.ignored = ignored
        }
    }

    /// By path, with `[]` for each level of list; the empty path is the document's.
    static let mappings: [String: Mapping] = [
        "": Mapping(
            ["apiVersion", "kind", "metadata", "spec"], required: ["apiVersion", "kind", "metadata", "spec"],
            ignored: ["status"]),
        "metadata": Mapping(
            ["name", "labels", "annotations", "resourceVersion"], required: ["name"],
            ignored: ["uid", "generation", "creationTimestamp", "deletionTimestamp", "finalizers"]),
        "spec": Mapping(
            [
                "image", "command", "args", "env", "workingDir", "user", "stdin", "tty", "invocations", "run",
                "volumes", "hosting", "azure", "suspend", "drift", "replacement", "deletionPolicy", "adoption", "stop",
            ], required: ["image"]),
        "spec.env[]": Mapping(["name", "value"], required: ["name", "value"]),
        "spec.run": Mapping(["timeoutSeconds", "ttlSecondsAfterFinished", "delivery", "attemptLimit"]),
        "spec.volumes[]": Mapping(["name", "mountPath"], required: ["name", "mountPath"]),
        "spec.hosting": Mapping(["plan", "managedEnvironment"]),
        "spec.azure": Mapping(["appSettings", "tags"]),
        "spec.suspend": Mapping(["by", "until", "reason"]),
        "spec.stop": Mapping(["run", "signal", "graceSeconds"], required: ["run"]),
    ]

    /// Of a wrapper around several records.
    static let list = Mapping(["apiVersion", "kind", "items"], required: ["items"], ignored: ["metadata"])
    static let listKinds = ["List", "FunctionAppList"]

    /// Paths of all fields that users may write, sorted.
    package static var fields: [String] {
        mappings.flatMap { path, mapping in mapping.allowed.map { path.isEmpty ? $0 : path + "." + $0 } }.sorted()
    }
}

/// What somebody may have meant.
package enum Spelling {
    /// The nearest of the words: equal but for case, or at most a third of its letters (two at most) wrong, missing, too many or swapped with
    /// the next one. The first of equally near ones.
    package static func nearest(to text: String, in words: [String]) -> String? {
        let wanted = Array(text.lowercased().utf8)
        guard wanted.count <= 64 else { return nil }
        var best: (word: String, distance: Int)?
        for word in words {
            let distance = distance(wanted, Array(word.lowercased().utf8))
            if distance <= min(2, word.utf8.count / 3), distance < best?.distance ?? .max { best = (word, distance) }
        }
        return best?.word
    }

    /// Optimal string alignment.
    private static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var older: [Int] = []
        var previous = Array(0...right.count)
        for (row, byte) in left.enumerated() {
            var current = [row + 1]
            for (column, other) in right.enumerated() {
                var cost = min(previous[column + 1], current[column]) + 1
                cost = min(cost, previous[column] + (byte == other ? 0 : 1))
                if row > 0, column > 0, byte == right[column - 1], left[row - 1] == other {
                    cost = min(cost, older[column - 1] + 1)
                }
                current.append(cost)
            }
            (older, previous) = (previous, current)
        }
        return previous[right.count]
    }
}
