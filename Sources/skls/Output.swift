import Foundation
import RecordsClient

/// Results and remarks, apart.
enum Output {
    static func result(_ text: String) {
        FileHandle.standardOutput.write(Data(text.utf8))
    }

    /// One line to standard error.
    static func note(_ text: String) {
        FileHandle.standardError.write(Data((text + "\n").utf8))
    }

    /// `error: …`; the text may come from the server and have several lines.
    static func error(_ text: String) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map {
            TerminalText.escaped(String($0))
        }
        note("error: " + lines.joined(separator: "\n"))
    }
}
