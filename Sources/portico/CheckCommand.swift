import ArgumentParser
import NATComposition
import NATConfiguration

struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Check a configuration file, without starting anything.",
    discussion: """
      Prints every problem on standard error with file, line and column, what was found and what would be right. A setting \
      that is allowed but rarely intended gives a warning. To check the machine too, run `portico doctor`.

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
      print("interfaces.\(side): its address comes from the machine's kernel while the daemon runs")
    }
    for warning in configuration.warnings { print("warning: \(warning)") }
  }
}
