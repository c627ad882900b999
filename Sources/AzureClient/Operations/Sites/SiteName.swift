/// The name of a Function App, unique in all of Azure because it is part of a host name.
package struct SiteName: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
    package let rawValue: String
    package var description: String { rawValue }

    /// Nil unless the text has 2 to 60 ASCII letters, digits and hyphens and no hyphen at either end (Azure docs,
    /// "Naming rules and restrictions for Azure resources", Microsoft.Web/sites, read 2026-02).
    package init?(rawValue: String) {
        guard (2...60).contains(rawValue.utf8.count), !rawValue.hasPrefix("-"), !rawValue.hasSuffix("-"),
            rawValue.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") })
        else { return nil }
        self.rawValue = rawValue
    }
}
