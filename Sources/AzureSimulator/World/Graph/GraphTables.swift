// The tables of Resource Graph (Azure docs, "Azure Resource Graph table and resource type reference", read 2026-02).

extension World {
    static let graphColumns: [KQL.Column] = [
        KQL.Column("id", .string), KQL.Column("name", .string), KQL.Column("type", .string),
        KQL.Column("tenantId", .string), KQL.Column("kind", .string), KQL.Column("location", .string),
        KQL.Column("resourceGroup", .string), KQL.Column("subscriptionId", .string),
        KQL.Column("managedBy", .string), KQL.Column("sku", .dynamic), KQL.Column("plan", .dynamic),
        KQL.Column("properties", .dynamic), KQL.Column("tags", .dynamic), KQL.Column("identity", .dynamic),
        KQL.Column("zones", .dynamic), KQL.Column("extendedLocation", .dynamic),
    ]

    /// A resource as Resource Graph shows it: type and group in lower case (observed in published results), the id in its
    /// own case, and never a secret: settings and keys do not stand in `properties`.
    func graphRow(_ resource: TrackedResource) -> KQL.Row {
        let document = resource.document(self)
        func dynamic(_ name: String) -> KQL.Value {
            document[name].flatMap { $0.isNull ? nil : .dynamic($0) } ?? .null
        }
        return graphRow(
            id: resource.id, name: resource.name, type: resource.type, kind: document["kind"]?.string ?? "",
            location: resource.location, group: resource.group, managedBy: document["managedBy"]?.string ?? "",
            sku: dynamic("sku"), properties: dynamic("properties"), tags: resource.tags, identity: dynamic("identity"))
    }

    private func graphRow(
        id: String, name: String, type: String, kind: String = "", location: String, group: String,
        managedBy: String = "", sku: KQL.Value = .null, properties: KQL.Value, tags: [JSON.Member],
        identity: KQL.Value = .null
    ) -> KQL.Row {
        KQL.Row([
            .string(id), .string(name), .string(type.lowercased()), .string(settings.tenantID), .string(kind),
            .string(location), .string(group.lowercased()), .string(settings.subscriptionID), .string(managedBy), sku,
            .null, properties, .dynamic(.object(tags)), identity, .null, .null,
        ])
    }

    /// `resources` and `resourcecontainers`; names of tables have no case there.
    func graphTable(_ name: String, resources: [KQL.Row]) -> KQL.Table? {
        switch name.lowercased() {
        case "resources": return KQL.Table(columns: Self.graphColumns, rows: resources)
        case "resourcecontainers":
            let subscription = graphRow(
                id: subscriptionPath, name: "Simulated Azure", type: "microsoft.resources/subscriptions", location: "",
                group: "", properties: .dynamic(["state": "Enabled"]), tags: self.subscription.tags)
            let groups = self.subscription.groups.sorted { $0.key < $1.key }.map { _, group in
                graphRow(
                    id: id(of: group), name: group.name, type: "microsoft.resources/subscriptions/resourcegroups",
                    location: group.location, group: group.name,
                    properties: .dynamic(document(of: group)["properties"] ?? [:]), tags: group.tags)
            }
            return KQL.Table(columns: Self.graphColumns, rows: [subscription] + groups)
        default: return nil
        }
    }
}
