package import AzureSimulator
import Foundation
package import Logging

extension LoadedSettings {
    /// The layers of this process: these flags, its environment, and the file at the path, which must be readable.
    package static func ofProcess(flags: [Flag] = [], configurationPath: String?) throws(ConfigurationFaults)
        -> LoadedSettings
    {
        var file: File?
        if let configurationPath {
            guard let data = FileManager.default.contents(atPath: configurationPath) else {
                throw ConfigurationFaults(faults: ["the configuration \(configurationPath) cannot be read"])
            }
            file = File(path: configurationPath, bytes: Array(data))
        }
        return LoadedSettings(flags: flags, environment: ProcessInfo.processInfo.environment, file: file)
    }

    /// The table for people, one line for each setting.
    package var tableText: String {
        let rows = table
        let keys = rows.map(\.key.count).max() ?? 0
        let values = rows.map(\.value.count).max() ?? 0
        return rows.map { row in
            let gap = String(repeating: " ", count: keys - row.key.count + 2)
            let space = String(repeating: " ", count: values - row.value.count + 2)
            return "\(row.key)\(gap)\(row.value)\(space)\(row.origin)\n"
        }.joined()
    }
}

extension LoadedSettings {
    /// Which Azure `skls serve` uses, who may connect, and where it logs to. Throws every fault of all layers at once.
    package func choices(simulator: SimulatorConfiguration?, label: String) throws(ConfigurationFaults)
        -> (
            azure: DaemonConfiguration.AzureChoice, access: AccessSettings, sessions: SessionChoice, logger: Logger
        )
    {
        var own: [String] = []
        var notices = notes
        let access = access(&own, &notices)
        let sessions = sessions(&own)
        let (level, format) = logging(&own)
        var hints: [String] = []
        var azure: DaemonConfiguration.AzureChoice?
        if let simulator {
            azure = .simulator(simulator)
        } else {
            do throws(ConfigurationFaults) {
                azure = .azure(try AzureSettings(environment: variables))
            } catch {
                own += error.faults
                hints = error.hints
            }
        }
        guard let azure, let access, let sessions, own.isEmpty, faults.isEmpty else {
            throw ConfigurationFaults(faults: faults + located(own), hints: hints)
        }
        let logger = Logger.daemon(label, level: level, format: format)
        for notice in notices { logger.notice("\(notice)") }
        return (azure, access, sessions, logger)
    }

    /// Of all layers; `nil` with faults.
    func sessions(_ faults: inout [String]) -> SessionChoice? {
        do throws(ConfigurationFaults) {
            return try SessionChoice(environment: variables)
        } catch {
            faults += error.faults
            return nil
        }
    }

    /// Go's names of levels are understood.
    func logging(_ faults: inout [String]) -> (level: String, format: LogFormat) {
        let text = (self["logging.level"] ?? "info").lowercased()
        let level = ["warn": "warning", "fatal": "critical", "panic": "critical"][text] ?? text
        if Logger.Level(rawValue: level) == nil {
            faults.append("SKLS_LOG_LEVEL: debug, info, warn or error, not \(text)")
        }
        let format = LogFormat(rawValue: self["logging.format"] ?? "text")
        if format == nil { faults.append("SKLS_LOG_FORMAT: text or json, not \(self["logging.format"] ?? "")") }
        return (level, format ?? .text)
    }
}

extension BackendSettings.Surroundings {
    package static var ofProcess: BackendSettings.Surroundings {
        BackendSettings.Surroundings(isRoot: geteuid() == 0) { access($0, W_OK | X_OK) == 0 }
    }
}

extension Logger {
    /// Writes to standard error. An unknown level is `info`.
    package static func daemon(_ label: String, level: String, format: LogFormat) -> Logger {
        var logger = Logger(label: label) { label -> any LogHandler in
            switch format {
            case .text: StreamLogHandler.standardError(label: label)
            case .json: JSONLogHandler.standardError()
            }
        }
        logger.logLevel = Logger.Level(rawValue: level) ?? .info
        return logger
    }
}
