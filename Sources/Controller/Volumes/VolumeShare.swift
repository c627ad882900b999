import Crypto
package import DesiredState
import Foundation

/// What a volume's share is called, and the marks in its metadata that make it ours. Only a share with the marks is ever mounted or deleted.
package enum VolumeShare {
    /// `skls-INSTANCE-NAME`, with a hash of the name where Azure's grammar for shares (3 to 63 lower-case letters, digits and single hyphens) does not
    /// take it as it is. The same in every process. Names of sites, whose own shares the sweep looks after, have one hyphen only.
    package static func name(of volume: VolumeName, instance: InstanceID) -> String {
        let prefix = "skls-\(instance.text)-"
        let room = 63 - prefix.utf8.count
        let plain = slug(volume.text)
        if plain == volume.text, plain.utf8.count <= room { return prefix + plain }
        let hash = SHA256.hash(data: Data(volume.text.utf8)).prefix(8).map { byte in
            (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
        let beginning = slug(String(plain.prefix(room - hash.utf8.count - 1)))
        return prefix + (beginning.isEmpty ? hash : beginning + "-" + hash)
    }

    /// In lower case, with single hyphens in place of everything else and none at the ends.
    private static func slug(_ text: String) -> String {
        text.lowercased().split { !($0.isASCII && ($0.isLetter || $0.isNumber)) }.joined(separator: "-")
    }

    private static let managedBy = "sklsManagedBy"
    private static let instanceMark = "sklsInstance"
    private static let volumeMark = "sklsVolume"
    private static let idMark = "sklsVolumeId"

    /// Names of metadata are C# identifiers (Azure docs, "Setting and retrieving properties and metadata", read 2026-11).
    package static func marks(of volume: Volume, instance: InstanceID) -> [String: String] {
        [managedBy: "skls", instanceMark: instance.text, volumeMark: volume.name.text, idMark: volume.id.text]
    }

    /// Whose share it is by its metadata. Azure need not keep the case of the names.
    package static func owner(
        _ metadata: [String: String], of volume: VolumeName, instance: InstanceID
    ) -> VolumeFacts.Share {
        let found = Dictionary(metadata.map { ($0.key.lowercased(), $0.value) }) { first, _ in first }
        guard found[managedBy.lowercased()] == "skls", found[instanceMark.lowercased()] == instance.text,
            found[volumeMark.lowercased()] == volume.text, let id = found[idMark.lowercased()].flatMap({ UID($0) })
        else { return .foreign }
        return .ours(id)
    }
}
