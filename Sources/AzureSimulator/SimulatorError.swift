import SystemPackage

/// Why the simulator refuses to start. `description` says what to do about it.
package struct SimulatorError: Error, Equatable, CustomStringConvertible, Sendable {
    package enum Code: Equatable, Sendable {
        /// bubblewrap is not installed.
        case bubblewrapMissing
        /// bubblewrap is there, but the kernel or its policy refuses what it needs.
        case bubblewrapRefused
        /// The static busybox for the base images is missing or not static.
        case busyboxMissing
        /// The agent's executable is missing.
        case agentMissing
        /// The folder of an image root is missing or unreadable.
        case imageRootUnreadable
        /// The directory is used by another simulator.
        case directoryInUse
        /// A file operation in the simulator's directory failed.
        case fileSystem
        /// What was kept of an earlier simulator cannot be read or written.
        case state
        /// A value of the configuration cannot be used.
        case configuration
    }

    package var code: Code
    package var message: String

    package var description: String { message }

    /// A failed system call: what was tried, on which path, and the error's text.
    static func failed(_ operation: String, _ path: String, errno number: Int32) -> SimulatorError {
        SimulatorError(
            code: .fileSystem, message: "cannot \(operation) \(path): \(Errno(rawValue: number).description)")
    }
}
