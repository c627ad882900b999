@testable import AzureSimulator

/// The API versions that Microsoft's clients send, and ids as they write them.
extension WorldScript {
    static let group = "/subscriptions/sub/resourceGroups/skls"

    static func storage(_ name: String, _ suffix: String = "") -> String {
        "\(group)/providers/Microsoft.Storage/storageAccounts/\(name)\(suffix)"
    }

    static func identity(_ name: String, _ suffix: String = "") -> String {
        "\(group)/providers/Microsoft.ManagedIdentity/userAssignedIdentities/\(name)\(suffix)"
    }

    /// A request to Resource Manager with a token and the version of the provider in question.
    mutating func call(_ method: String, _ path: String, query: String = "", body: String = "") -> Reply {
        let version =
            path.contains("Microsoft.Storage")
            ? "2025-08-01"
            : path.contains("Microsoft.ManagedIdentity")
                ? "2024-11-30"
                : path.contains("Microsoft.Web") && !path.contains("/tags/") ? "2023-12-01" : "2021-04-01"
        return send(
            ControlRequest(
                method: method, path: path, query: "api-version=\(version)" + (query.isEmpty ? "" : "&\(query)"),
                authorization: "Bearer \(token)", body: Array(body.utf8)))
    }

    /// A GET of an address from a reply, such as `nextLink` or `Location`.
    mutating func follow(_ link: String) -> Reply {
        let rest = link.dropFirst("https://management.azure.com".count)
        let parts = rest.split(separator: "?", maxSplits: 1).map(String.init)
        return send(
            ControlRequest(
                method: "GET", path: parts.first ?? "", query: parts.count == 2 ? parts[1] : "",
                authorization: "Bearer \(token)"))
    }

    /// The names in a list, over all of its pages.
    mutating func names(_ path: String, query: String = "") -> [String] {
        var reply = json(call("GET", path, query: query))
        var names = (reply["value"]?.array ?? []).map { $0.string("name") }
        while let link = reply["nextLink"]?.string {
            reply = json(follow(link))
            names += (reply["value"]?.array ?? []).map { $0.string("name") }
        }
        return names
    }

    @discardableResult
    mutating func createAccount(_ name: String, tags: String = "{}") -> Reply {
        call(
            "PUT", Self.storage(name),
            body: #"{"location":"eastus","kind":"StorageV2","sku":{"name":"Standard_LRS"},"tags":\#(tags)}"#)
    }

    mutating func graph(_ query: String, options: String = "{}") -> Reply {
        let body: JSON = ["query": .string(query), "subscriptions": ["sub"]]
        var text = String(decoding: body.encoded, as: UTF8.self)
        text = text.dropLast() + ",\"options\":\(options)}"
        return send(
            ControlRequest(
                method: "POST", path: "/providers/Microsoft.ResourceGraph/resources", query: "api-version=2021-03-01",
                authorization: "Bearer \(token)", body: Array(text.utf8)))
    }
}
