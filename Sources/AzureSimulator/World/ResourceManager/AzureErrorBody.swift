/// The two shapes of errors on this side of Azure.
enum AzureErrorBody {
    /// Resource Manager's own: `{"error":{"code","message"}}` (Azure REST API guidelines).
    static func resourceManager(_ status: Int, _ code: String, _ message: String) -> Reply {
        .json(status, ["error": ["code": .string(code), "message": .string(message)]])
    }

    /// Microsoft.Web's, in Pascal case, with the useful code in the last detail (shape as in recorded replies).
    /// - Parameter template: the message with `{0}`, `{1}`… in place of `parameters`.
    static func web(
        _ status: Int, _ code: String, extended: String, _ template: String, _ parameters: [String] = []
    ) -> Reply {
        var message = template
        for (index, parameter) in parameters.enumerated() {
            message = message.replacing("{\(index)}", with: parameter)
        }
        return .json(
            status,
            [
                "Code": .string(code), "Message": .string(message), "Target": nil,
                "Details": [
                    ["Message": .string(message)], ["Code": .string(code)],
                    [
                        "ErrorEntity": [
                            "ExtendedCode": .string(extended), "MessageTemplate": .string(template),
                            "Parameters": .array(parameters.map(JSON.string)), "Code": .string(code),
                            "Message": .string(message),
                        ]
                    ],
                ],
                "Innererror": nil,
            ])
    }
}
