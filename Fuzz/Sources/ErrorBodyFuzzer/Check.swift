/// An error body is whatever a server, a gateway or a stranger answers. Reading it never traps and gives texts within
/// bounds; what is JSON is no text, and what is read twice reads the same.
func check(_ bytes: [UInt8]) {
    let body = ErrorBody(bytes: bytes)
    precondition(body == ErrorBody(bytes: bytes), "read differently the second time")
    precondition(body.innerCodes.count <= 4096, "too many codes")
    let shown = SafeText.escaped(body.message, limit: 1024)
    precondition(!shown.utf8.contains { $0 < 0x20 || $0 == 0x7F }, "a control character is shown")
    // A refusal names a place inside the text.
    do throws(JSONSyntaxError) {
        _ = try JSONValue(parsing: bytes)
    } catch {
        precondition((0...bytes.count).contains(error.offset), "a fault outside the text")
    }
}
