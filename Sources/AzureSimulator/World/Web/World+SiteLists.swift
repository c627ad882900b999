// Lists of sites, a page at a time.

extension World {
    /// One page of the sites that `accepts` takes, in the order of names. The skip token names the last site of the page
    /// before, so that sites that come and go between two pages make none of the others appear twice or not at all.
    /// Deleted sites that still hold their name are in it.
    func listSites(_ call: ResourceCall, where accepts: (Site) -> Bool) -> Reply {
        var start = siteOrder.startIndex
        if let token = call.parameter("$skiptoken") {
            guard let bytes = Base64URL.decode(token), let last = String(validating: bytes, as: UTF8.self) else {
                return AzureErrorBody.resourceManager(400, "InvalidSkipToken", "The provided skip token is not valid.")
            }
            start = insertionIndex(of: SiteKey(last))
            if start < siteOrder.endIndex, siteOrder[start] == SiteKey(last) { start += 1 }
        }
        var page: [JSON] = []
        var last: SiteKey?
        var hasMore = false
        for key in siteOrder[start...] {
            guard let site = sites[key], site.visibility.hiddenUntil == nil, accepts(site) else { continue }
            if page.count == settings.pageSize {
                hasMore = true
                break
            }
            page.append(resource(site))
            last = key
        }
        var nextLink: String?
        if hasMore, let last {
            let token = Base64URL.encode(Array(last.text.utf8))
            nextLink = "\(call.request.baseURL)\(call.request.path)?api-version=\(call.version)&%24skiptoken=\(token)"
        }
        return Self.list(page, nextLink: nextLink)
    }

    /// Where `key` stands in `siteOrder`, or would stand.
    func insertionIndex(of key: SiteKey) -> Int {
        var low = siteOrder.startIndex
        var high = siteOrder.endIndex
        while low < high {
            let middle = (low + high) / 2
            if siteOrder[middle] < key { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// A list as Microsoft.Web writes it: with an `id` that is null (recorded replies).
    static func list(_ elements: [JSON], nextLink: String? = nil) -> Reply {
        .json(200, ["value": .array(elements), "nextLink": .text(nextLink), "id": nil])
    }
}
