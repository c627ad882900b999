/// Groups the calls that one cause made, for instance one reconcile. Sent as `x-ms-correlation-request-id`, which
/// Azure Resource Manager keeps in its activity log (azure-resource-manager-rpc v1.0, read 2026-02).
package struct CorrelationID: Sendable, Hashable, CustomStringConvertible {
    package let guid: GUID
    package var description: String { guid.description }

    package init(_ guid: GUID) {
        self.guid = guid
    }
}
