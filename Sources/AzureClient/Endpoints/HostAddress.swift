#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The host of a URL as far as routing has to know it: an IP address or a name. Names are not resolved.
enum HostAddress: Hashable {
    /// In lower case, without a dot at its end.
    case name(String)
    /// 4 or 16 bytes; an IPv4 address inside IPv6 is the IPv4 address.
    case ip([UInt8])

    /// - Parameter text: a name, an IPv4 address in four decimal parts, or an IPv6 address with or without brackets.
    init(_ text: String) {
        var bare = text.lowercased()
        if bare.hasPrefix("["), bare.hasSuffix("]") { bare = String(bare.dropFirst().dropLast()) }
        if let bytes = Self.bytes(bare) {
            self = .ip(bytes)
        } else {
            self = .name(bare.hasSuffix(".") ? String(bare.dropLast()) : bare)
        }
    }

    /// Whether what is sent there stays on this machine.
    var isLoopback: Bool {
        switch self {
        case .name(let name): name == "localhost"
        case .ip(let bytes): bytes.count == 4 ? bytes[0] == 127 : bytes == Array(repeating: 0, count: 15) + [1]
        }
    }

    /// Whether the address is one of its link only: 169.254.0.0/16 (RFC 3927) and fe80::/10 (RFC 4291). Azure's
    /// metadata and identity endpoints are there.
    var isLinkLocal: Bool {
        guard case .ip(let bytes) = self else { return false }
        return bytes.count == 4 ? bytes[0] == 169 && bytes[1] == 254 : bytes[0] == 0xFE && bytes[1] & 0xC0 == 0x80
    }

    private static func bytes(_ text: String) -> [UInt8]? {
        let mappedPrefix: [UInt8] = Array(repeating: 0, count: 10) + [0xFF, 0xFF]
        var four = [UInt8](repeating: 0, count: 4)
        if inet_pton(AF_INET, text, &four) == 1 { return four }
        var sixteen = [UInt8](repeating: 0, count: 16)
        guard inet_pton(AF_INET6, text, &sixteen) == 1 else { return nil }
        return sixteen.starts(with: mappedPrefix) ? Array(sixteen.suffix(4)) : sixteen
    }
}
