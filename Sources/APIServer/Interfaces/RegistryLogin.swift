/// Asks the configured registry whether it takes somebody's credentials.
package protocol RegistryLogin: Sendable {
    func check(_ credentials: RegistryCredentials) async throws(ImageResolverError) -> RegistryLoginVerdict
}

/// Prints without the password.
package struct RegistryCredentials: Sendable, CustomStringConvertible, CustomReflectable {
    /// As the client wrote it: a host, or an address.
    package let server: String
    package let user: String
    package let password: String

    package init(server: String, user: String, password: String) {
        self.server = server
        self.user = user
        self.password = password
    }

    package var description: String { "\(user) at \(server)" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

package enum RegistryLoginVerdict: Hashable, Sendable {
    case accepted
    case refused
    /// Not asked: credentials are for the registry that is configured only.
    case otherRegistry(configured: String)
}
