import Glibc

/// Who a command runs as.
struct UserIdentity: Equatable {
    var uid: UInt32
    var gid: UInt32
    var supplementaryGroups: [UInt32]
    /// The home directory in `/etc/passwd`, if the user is in there.
    var home: String?
}

/// Looks users up in the container's own `/etc/passwd` and `/etc/group`, by the rules of Docker's engine
/// (moby/sys/user v0.4, user.go, GetExecUser).
struct UserDatabase {
    private let users: [[Substring]]
    private let groups: [[Substring]]

    struct Unknown: Error, Equatable, CustomStringConvertible {
        let description: String
    }

    /// - Parameters:
    ///   - passwd: content of `/etc/passwd`, empty where there is none.
    ///   - group: content of `/etc/group`.
    init(passwd: String, group: String) {
        users = Self.lines(passwd)
        groups = Self.lines(group)
    }

    /// - Parameter specification: `name|uid[:group|gid]`.
    func identity(_ specification: String) throws(Unknown) -> UserIdentity {
        let parts = specification.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let userText = parts.first ?? ""
        let groupText = parts.count > 1 ? parts[1] : ""
        var identity = UserIdentity(uid: 0, gid: 0, supplementaryGroups: [], home: nil)
        var name: Substring?
        if let user = users.first(where: { $0[0] == userText || $0[2] == userText }) {
            guard let uid = Self.id(user[2]), let gid = Self.id(user[3]) else {
                throw Unknown(description: "user \(userText): its line in the passwd file is broken")
            }
            identity.uid = uid
            identity.gid = gid
            identity.home = user.count > 5 && !user[5].isEmpty ? String(user[5]) : nil
            name = user[0]
        } else if let uid = Self.id(userText) {
            identity.uid = uid
        } else if !userText.isEmpty {
            throw Unknown(description: "unable to find user \(userText): no matching entries in passwd file")
        }
        if !groupText.isEmpty {
            identity.gid = try group(groupText)
        } else if let name {
            identity.supplementaryGroups = groups.compactMap { line in
                line.count > 3 && line[3].split(separator: ",").contains(name) ? Self.id(line[2]) : nil
            }
        }
        return identity
    }

    /// The home directory of a uid, if it is listed.
    func home(ofUID uid: UInt32) -> String? {
        users.first { Self.id($0[2]) == uid && $0.count > 5 && !$0[5].isEmpty }.map { String($0[5]) }
    }

    private func group(_ text: Substring) throws(Unknown) -> UInt32 {
        if let line = groups.first(where: { $0[0] == text || $0[2] == text }), let gid = Self.id(line[2]) { return gid }
        if let gid = Self.id(text) { return gid }
        throw Unknown(description: "unable to find group \(text): no matching entries in group file")
    }

    /// Ids above the largest signed 32-bit number are refused, as Docker does.
    private static func id(_ text: Substring) -> UInt32? {
        Int32(text).flatMap { $0 >= 0 ? UInt32($0) : nil }
    }

    private static func lines(_ text: String) -> [[Substring]] {
        text.split(separator: "\n").map { $0.split(separator: ":", omittingEmptySubsequences: false) }
            .filter { $0.count >= 3 && !$0[0].hasPrefix("#") }.map { $0.count == 3 ? $0 + [""] : $0 }
    }
}
