@main struct Main { static func main() { print("sockerless-backend-azf") } }
