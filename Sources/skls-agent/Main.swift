@main struct Main { static func main() { print("skls-agent") } }
