import CSHA256

/// SHA-256 (FIPS 180-4), our own because the agent must carry neither Foundation nor a crypto library.
///
/// It uses the processor's instructions where there are any. Else it is plain loops, pointers and wrapping arithmetic: every megabyte of a run's
/// output passes through it on both ends, and tests run it unoptimised. It is not used with secret-dependent branches or
/// table look-ups, so its time depends on the length of the input only.
package struct SHA256: Sendable {
    /// Length of a digest.
    package static let digestBytes = 32
    static let blockBytes = 64

    private var state: [UInt32] = [
        0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
    ]
    /// Bytes of the last, incomplete block; always fewer than `blockBytes` between calls.
    private var pending: [UInt8] = []
    private var totalBytes: UInt64 = 0
    private let usesInstructions: Bool

    package init() {
        self.init(usesInstructions: SHA256.hasInstructions)
    }

    /// Whether the processor has instructions for it.
    static var hasInstructions: Bool { csha256_is_supported() != 0 }

    package init(usesInstructions: Bool) {
        self.usesInstructions = usesInstructions
    }

    /// The digest of one piece of memory.
    package static func digest(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        var hash = SHA256()
        hash.update(bytes)
        return hash.finalize()
    }

    /// The digest of an array.
    package static func digest(_ bytes: [UInt8]) -> [UInt8] {
        bytes.withUnsafeBytes { digest($0) }
    }

    package mutating func update(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { update($0) }
    }

    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress, bytes.count > 0 else { return }
        totalBytes &+= UInt64(bytes.count)
        var offset = 0
        if !pending.isEmpty {
            let wanted = min(Self.blockBytes - pending.count, bytes.count)
            pending.append(contentsOf: UnsafeRawBufferPointer(start: start, count: wanted))
            offset = wanted
            if pending.count < Self.blockBytes { return }
            let block = pending
            pending.removeAll(keepingCapacity: true)
            block.withUnsafeBytes { if let base = $0.baseAddress { compress(base, blocks: 1) } }
        }
        let blocks = (bytes.count - offset) / Self.blockBytes
        if blocks > 0 {
            compress(start + offset, blocks: blocks)
            offset += blocks * Self.blockBytes
        }
        if offset < bytes.count {
            pending.append(contentsOf: UnsafeRawBufferPointer(start: start + offset, count: bytes.count - offset))
        }
    }

    /// The digest of everything given so far. Ends this hash: it consumes the value.
    package consuming func finalize() -> [UInt8] {
        let bitCount = totalBytes &* 8
        var padding: [UInt8] = [0x80]
        let used = pending.count + 1
        let zeros = (used <= 56 ? 56 : 120) - used
        padding.append(contentsOf: repeatElement(0, count: zeros))
        var shift = 56
        while shift >= 0 {
            padding.append(UInt8(truncatingIfNeeded: bitCount >> UInt64(shift)))
            shift -= 8
        }
        update(padding)
        var digest: [UInt8] = []
        digest.reserveCapacity(Self.digestBytes)
        for word in state {
            digest.append(UInt8(truncatingIfNeeded: word >> 24))
            digest.append(UInt8(truncatingIfNeeded: word >> 16))
            digest.append(UInt8(truncatingIfNeeded: word >> 8))
            digest.append(UInt8(truncatingIfNeeded: word))
        }
        return digest
    }

    /// Runs the compression function over whole blocks. One scratch area serves all of them.
    private mutating func compress(_ bytes: UnsafeRawPointer, blocks: Int) {
        let usesInstructions = usesInstructions
        state.withUnsafeMutableBufferPointer { state in
            if usesInstructions, let state = state.baseAddress {
                csha256_compress(state, bytes.assumingMemoryBound(to: UInt8.self), blocks)
                return
            }
            roundConstants.withUnsafeBufferPointer { constants in
                withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 64) { schedule in
                    guard let state = state.baseAddress, let constants = constants.baseAddress,
                        let schedule = schedule.baseAddress
                    else { return }
                    var block = 0
                    while block < blocks {
                        compressBlock(bytes + block &* 64, into: state, constants: constants, schedule: schedule)
                        block &+= 1
                    }
                }
            }
        }
    }
}

/// One block. Rotations are spelled out: a helper function would be a call each in unoptimised builds.
private func compressBlock(
    _ block: UnsafeRawPointer, into state: UnsafeMutablePointer<UInt32>, constants: UnsafePointer<UInt32>,
    schedule: UnsafeMutablePointer<UInt32>
) {
    UnsafeMutableRawPointer(schedule).copyMemory(from: block, byteCount: 64)
    var index = 0
    #if _endian(little)
        while index < 16 {
            schedule[index] = schedule[index].byteSwapped
            index &+= 1
        }
    #endif
    index = 16
    while index < 64 {
        let early = schedule[index &- 15]
        let late = schedule[index &- 2]
        let sigma0 =
            ((early &>> 7) | (early &<< 25)) ^ ((early &>> 18) | (early &<< 14)) ^ (early &>> 3)
        let sigma1 =
            ((late &>> 17) | (late &<< 15)) ^ ((late &>> 19) | (late &<< 13)) ^ (late &>> 10)
        schedule[index] = schedule[index &- 16] &+ sigma0 &+ schedule[index &- 7] &+ sigma1
        index &+= 1
    }
    var a = state[0]
    var b = state[1]
    var c = state[2]
    var d = state[3]
    var e = state[4]
    var f = state[5]
    var g = state[6]
    var h = state[7]
    index = 0
    while index < 64 {
        let sum1 = ((e &>> 6) | (e &<< 26)) ^ ((e &>> 11) | (e &<< 21)) ^ ((e &>> 25) | (e &<< 7))
        let choice = (e & f) ^ (~e & g)
        let first = h &+ sum1 &+ choice &+ constants[index] &+ schedule[index]
        let sum0 = ((a &>> 2) | (a &<< 30)) ^ ((a &>> 13) | (a &<< 19)) ^ ((a &>> 22) | (a &<< 10))
        let majority = (a & b) ^ (a & c) ^ (b & c)
        h = g
        g = f
        f = e
        e = d &+ first
        d = c
        c = b
        b = a
        a = first &+ sum0 &+ majority
        index &+= 1
    }
    state[0] = state[0] &+ a
    state[1] = state[1] &+ b
    state[2] = state[2] &+ c
    state[3] = state[3] &+ d
    state[4] = state[4] &+ e
    state[5] = state[5] &+ f
    state[6] = state[6] &+ g
    state[7] = state[7] &+ h
}

/// FIPS 180-4, section 4.2.2.
private let roundConstants: [UInt32] = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
    0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
    0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
    0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
    0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
    0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
    0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
]
