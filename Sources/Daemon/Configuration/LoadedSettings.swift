import DesiredState

/// Every setting with where its value came from: flags before the environment before the file before the usual value. Pure; what is wrong is collected,
/// so that all of it is told at once.
package struct LoadedSettings: Sendable {
    package enum Origin: Hashable, Sendable {
        /// As it was typed, such as `-addr`.
        case flag(String)
        case variable(String)
        case file(String, key: String, line: Int)
        case usual

        package var description: String {
            switch self {
            case .flag(let name): name
            case .variable(let name): "$" + name
            case .file(let path, let key, let line): "\(key) in \(path):\(line)"
            case .usual: "default"
            }
        }
    }

    struct Value: Hashable, Sendable {
        let text: String
        let origin: Origin
    }

    /// A flag's value for a setting.
    package struct Flag: Hashable, Sendable {
        let setting: String
        let flag: String
        let value: String

        /// `setting` = the setting's key in a file.
        package init(_ setting: String, flag: String, value: String) {
            self.setting = setting
            self.flag = flag
            self.value = value
        }
    }

    /// A file as it was read.
    package struct File: Hashable, Sendable {
        let path: String
        let bytes: [UInt8]

        package init(path: String, bytes: [UInt8]) {
            self.path = path
            self.bytes = bytes
        }
    }

    /// By key.
    private var values: [String: Value] = [:]
    /// In the order of the layers.
    private(set) var faults: [String] = []
    /// What was set and has no effect here.
    package private(set) var notes: [String] = []
    private let environment: [String: String]

    package init(flags: [Flag] = [], environment: [String: String], file: File? = nil) {
        self.environment = environment
        for setting in Setting.all {
            if let usual = setting.usual { values[setting.key] = Value(text: usual, origin: .usual) }
        }
        if let file { read(file) }
        for setting in Setting.all {
            for variable in setting.variables.reversed() {
                guard let text = environment[variable], !text.isEmpty else { continue }
                values[setting.key] = Value(text: text, origin: .variable(variable))
            }
        }
        checkVariables()
        for flag in flags where !flag.value.isEmpty {
            values[flag.setting] = Value(text: flag.value, origin: .flag(flag.flag))
        }
    }

    private mutating func read(_ file: File) {
        let document = SettingsDocument(file.bytes, source: file.path)
        faults += document.faults.map(\.description)
        let known = Setting.all.map(\.key)
        for leaf in document.leaves {
            let place = "\(file.path):\(leaf.line)"
            if let useless = Setting.withoutEffect.first(where: { $0.name == leaf.path }) {
                faults.append("\(place): \(leaf.path) has no effect: \(useless.reason); remove it")
            } else if !known.contains(leaf.path) {
                let near = Spelling.nearest(to: leaf.path, in: known).map { "; did you mean \($0)?" } ?? ""
                faults.append("\(place): there is no setting \(leaf.path)\(near)")
            } else if !leaf.value.isEmpty {
                values[leaf.path] = Value(
                    text: leaf.value, origin: .file(file.path, key: leaf.path, line: leaf.line))
            }
        }
    }

    /// Only this backend's own variables can be known to be misspelt; others' belong to others.
    private mutating func checkVariables() {
        let known = Setting.all.flatMap(\.variables)
        for (name, value) in environment.sorted(by: { $0.key < $1.key }) where !value.isEmpty {
            if let useless = Setting.withoutEffect.first(where: { $0.name == name }) {
                notes.append("\(name) has no effect: \(useless.reason)")
            } else if name.hasPrefix("SOCKERLESS_AZF_"), !known.contains(name) {
                let near = Spelling.nearest(to: name, in: known).map { "; did you mean \($0)?" } ?? ""
                faults.append("there is no variable \(name)\(near)")
            }
        }
    }

    // MARK: asking

    /// The value at a file's key; `nil` = unset.
    package subscript(key: String) -> String? { values[key]?.text }

    package func origin(_ key: String) -> Origin? { values[key]?.origin }

    /// A usual value that only the machine could tell.
    package mutating func fill(_ key: String, _ text: String) {
        if values[key] == nil { values[key] = Value(text: text, origin: .usual) }
    }

    /// All that the daemon asks its environment for: every setting under its own variable, and the rest as it is.
    package var variables: [String: String] {
        var all = environment
        for setting in Setting.all {
            for variable in setting.variables { all[variable] = nil }
        }
        for setting in Setting.all { all[setting.name] = values[setting.key]?.text }
        return all
    }

    /// The same faults, with each setting called by what set it, or by all that could: whoever reads them looks there.
    func located(_ faults: [String]) -> [String] {
        var names: [String: String] = [:]
        for setting in Setting.all {
            switch values[setting.key]?.origin {
            case .flag(let flag): names[setting.name] = flag
            case .variable(let variable): names[setting.name] = variable
            case .file(let path, let key, let line): names[setting.name] = "\(key) (\(path):\(line))"
            case .usual, nil: names[setting.name] = "\(setting.key) ($\(setting.variables.joined(separator: ", $")))"
            }
        }
        return faults.map { fault in
            fault.replacing(/[A-Z][A-Z0-9_]+/) { match in names[String(match.output)] ?? String(match.output) }
        }
    }

    // MARK: showing

    /// A line for each setting: its key, its value, and where that came from. Secrets are hidden.
    package var table: [(key: String, value: String, origin: String)] {
        Setting.all.map { setting in
            guard let value = values[setting.key] else { return (setting.key, "", "unset") }
            return (setting.key, setting.isSecret ? "(hidden)" : value.text, value.origin.description)
        }
    }
}
