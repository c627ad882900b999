extension FunctionApp {
    /// `none`: what the runs write is kept only as long as they are open, for those who are attached. Else it is kept until the record is removed.
    package static let logAnnotation = "skls.dev/log"

    package var keepsLog: Bool { metadata.annotations[FunctionApp.logAnnotation] != "none" }
}
