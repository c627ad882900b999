/// Names one log: what one attempt of one run wrote.
package struct OutputKey: Hashable, Sendable {
    /// Uid of the record; a file name is made of it, so only letters, digits, `-` and `_` are accepted.
    package let uid: String
    package let run: Int
    package let attempt: Int

    package init(uid: String, run: Int, attempt: Int) {
        self.uid = uid
        self.run = run
        self.attempt = attempt
    }
}
