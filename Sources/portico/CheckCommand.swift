import ArgumentParser
import NATComposition
import NATConfiguration

struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Say whether a configuration is good, without starting anything.",
    discussion: """
      Every problem is printed on standard error with its file, line and column, what was found and what would be \
      right. What is allowed and hardly ever meant is a warning. The machine is not looked at: that is what `portico doctor` does.

      EXAMPLES
        portico check /etc/portico/portico.yaml

      EXIT CODES
        0 good, 66 no such file, 78 bad configuration
      """)

  @Argument(help: "The configuration file (YAML).", completion: .file(extensions: ["yaml", "yml"]))
  var file: String

  func run() throws {
    let configuration = try Failure.configuration(at: file)
    print("\(file): good")
    let interfaces = configuration.interfaces
    for (side, interface) in [("inside", interfaces.inside), ("outside", interfaces.outside)]
    where interface.hasMachineAddress {
      print("interfaces.\(side): its address comes from the host's kernel while the daemon runs")
    }
    for warning in configuration.warnings { print("warning: \(warning)") }
  }
}
