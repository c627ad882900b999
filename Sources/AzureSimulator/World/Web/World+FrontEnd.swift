// The front end of the sites: which container a request goes to.

extension World {
    /// While a container starts, requests wait as on a cold start; after a failed one they are answered at once.
    mutating func visit(_ id: RequestID, host: String) {
        guard !isShuttingDown else {
            effects.append(.reply(id, FrontEndPage.serviceUnavailable))
            return
        }
        guard let key = hosts[host], let site = sites[key] else {
            effects.append(.reply(id, FrontEndPage.notFound))
            return
        }
        if site.state != "Running" {
            effects.append(.reply(id, FrontEndPage.stopped))
        } else if let serving = site.container.serving {
            effects.append(.forward(id, serving.instance))
        } else if site.container.starting != nil {
            sites[key]?.container.held.append(id)
        } else {
            effects.append(.reply(id, FrontEndPage.serviceUnavailable))
        }
    }

    mutating func abandon(_ id: RequestID) {
        if logs.followers.removeValue(forKey: id) != nil { return }
        for key in siteOrder {
            guard let index = sites[key]?.container.held.firstIndex(of: id) else { continue }
            sites[key]?.container.held.remove(at: index)
            return
        }
    }
}

/// The pages of the front end. Titles and headings are Azure's (seen in public reports); the rest is left out.
enum FrontEndPage {
    static let notFound = page(404, "404 Web Site not found", "404 Web Site not found.")
    static let stopped = page(403, "Web App - Unavailable", "Error 403 - This web app is stopped.")
    static let serviceUnavailable = page(503, "Service Unavailable", "Service Unavailable")
    static let applicationError = page(503, "Application Error", ":( Application Error")
    static let badGateway = page(
        502, "502 - Web server received an invalid response while acting as a gateway or proxy server.",
        "502 - Web server received an invalid response while acting as a gateway or proxy server.")
    static let timedOut = page(504, "504.0 GatewayTimeout", "504.0 GatewayTimeout")

    private static func page(_ status: Int, _ title: String, _ heading: String) -> Reply {
        .text(
            status,
            "<!DOCTYPE html>\r\n<html><head><title>\(title)</title></head><body><h1>\(heading)</h1></body></html>\r\n",
            type: "text/html")
    }
}
