import ArgumentParser
import NATComposition

struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Say whether a configuration is good, without starting anything.",
    discussion: """
      Every problem is printed with its file, line and column, what was found and what would be right. \
      Exit codes: 0 good, 66 no such file, 78 bad configuration.
      """)

  @Argument(help: "The configuration file (YAML).", completion: .file(extensions: ["yaml", "yml"]))
  var file: String

  func run() throws {
    _ = try Failure.configuration(at: file)
    print("\(file): good")
  }
}
