@main struct Portico { static func main() {} }
