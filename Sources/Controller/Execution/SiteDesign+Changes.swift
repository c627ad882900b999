extension SiteDesign {
    /// Names of the fields in which this design is another one than `earlier`, sorted; as ``Difference`` names them.
    /// Without our own tags, which only follow from the rest.
    package func changedFields(from earlier: SiteDesign) -> [String] {
        var fields: Set<String> = []
        if image != earlier.image { fields.insert("siteConfig.linuxFxVersion") }
        if location != earlier.location { fields.insert("location") }
        if placement != earlier.placement || workloadProfile != earlier.workloadProfile { fields.insert("hosting") }
        if identity != earlier.identity || pullsWithIdentity != earlier.pullsWithIdentity { fields.insert("identity") }
        fields.formUnion(SiteDesign.differing(tags, earlier.tags).filter { !isOwnTag($0) }.map { "tags." + $0 })
        fields.formUnion(SiteDesign.differing(values, earlier.values).map { "appSettings." + $0 })
        fields.formUnion(SiteDesign.differing(mounts, earlier.mounts).map { "mounts." + $0 })
        return fields.sorted()
    }

    private var values: [String: String] {
        Dictionary((appSettings + contentShare).map { ($0.name, $0.value) }) { first, _ in first }
    }

    private func isOwnTag(_ name: String) -> Bool { name.lowercased().hasPrefix(SiteTag.prefix) }

    private static func differing<Value: Equatable>(_ left: [String: Value], _ right: [String: Value]) -> [String] {
        Set(left.keys).union(right.keys).filter { left[$0] != right[$0] }
    }
}
