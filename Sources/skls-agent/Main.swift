import AgentRuntime

@main struct Main {
    static func main() {
        AgentProcess.run()
    }
}
