import Foundation

/// A manifest is what a user wrote, or anybody who reaches the API. Reading it never traps: it gives records or faults
/// that say something.
func check(_ bytes: [UInt8]) {
    do throws(ManifestFaults) {
        _ = try Manifest.parse([ManifestSource(name: nil, bytes: bytes)])
    } catch {
        precondition(!error.faults.isEmpty, "refused without a reason")
    }
    do throws(ManifestFaults) {
        _ = try Manifest.parse(json: Data(bytes))
    } catch {
        precondition(!error.faults.isEmpty, "refused without a reason")
    }
}
