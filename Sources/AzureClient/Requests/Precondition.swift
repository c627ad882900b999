import NIOHTTP1

/// What must hold for a request to be applied. A failed one is answered with 412, which is `conflict`: read again.
///
/// For services that honour it (private DNS, storage, the registry); of Microsoft.Web it is not known.
enum Precondition: Sendable, Hashable {
    /// The resource is still what was read.
    case unchanged(etag: String)
    /// There is no such resource.
    case absent
}

extension AzureRequest {
    mutating func require(_ precondition: Precondition) {
        switch precondition {
        case .unchanged(let etag): headers.replaceOrAdd(name: "if-match", value: etag)
        case .absent: headers.replaceOrAdd(name: "if-none-match", value: "*")
        }
    }
}
