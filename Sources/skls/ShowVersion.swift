import ArgumentParser
import Daemon

struct ShowVersion: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "version", abstract: "Print this program's version.")

    func run() {
        Output.result("skls \(sklsVersion)\n")
    }
}
