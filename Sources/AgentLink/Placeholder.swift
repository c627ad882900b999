package struct OutputKey: Hashable, Sendable {
    package let uid: String
    package let run: Int
    package let attempt: Int
    package init(uid: String, run: Int, attempt: Int) { self.uid = uid; self.run = run; self.attempt = attempt }
}
