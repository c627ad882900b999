/// Why a request was not carried out, as the reply that says so.
struct RefusedRequest: Error {
    var reply: Reply

    init(reply: Reply) { self.reply = reply }

    init(_ status: Int, _ code: String, _ message: String) {
        reply = AzureErrorBody.resourceManager(status, code, message)
    }

    /// The body of a request that is not what the API expects.
    static func content(_ text: String) -> RefusedRequest {
        RefusedRequest(
            400, "InvalidRequestContent", "The request content was invalid and could not be deserialized: '\(text)'.")
    }

    /// A resource that is not there, in Resource Manager's words (recorded replies, 2022-07).
    static func notFound(_ resource: String, group: String) -> RefusedRequest {
        RefusedRequest(
            404, "ResourceNotFound",
            "The Resource '\(resource)' under resource group '\(group)' was not found. For more details please go to "
                + "https://aka.ms/ARMResourceNotFoundFix")
    }

    /// The reply of a handler, or of its refusal.
    static func replying(_ handler: () throws(RefusedRequest) -> Reply) -> Reply {
        do throws(RefusedRequest) { return try handler() } catch { return error.reply }
    }
}

extension ResourceCall {
    /// The body as a JSON object; an empty body is an empty object.
    func object() throws(RefusedRequest) -> JSON {
        if body.isEmpty { return [:] }
        let value: JSON
        do throws(JSON.SyntaxError) { value = try JSON(parsing: body) } catch {
            throw .content("\(error.message) at offset \(error.offset)")
        }
        guard value.members != nil else { throw .content("the body is not an object") }
        return value
    }

    /// The text of a member that must be an object if it is there.
    static func object(_ value: JSON?, named name: String) throws(RefusedRequest) -> JSON {
        guard let value, !value.isNull else { return [:] }
        guard value.members != nil else { throw .content("'\(name)' is not an object") }
        return value
    }
}
