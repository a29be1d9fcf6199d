import ArgumentParser
import NATConfiguration
import NATControl
import NATControlSocket

struct ReloadCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reload",
    abstract:
      "Have the daemon read its configuration again, and apply all of it or nothing.",
    discussion: """
      Prints the changes and the sessions that they ended. If anything is wrong, every error is listed with file, line and \
      column, and the gateway continues as before. A change that needs a restart is refused with the name of the setting.

      The unit of the service passes --config, so that `systemctl reload portico` finds the control socket that the file \
      names, and fails with the reason if the file is wrong.

      EXAMPLES
        portico reload
        portico reload --config /etc/portico/portico.yaml

      \(HelpText.daemonExitCodes)
        66  no such file; 78 bad configuration (with --config)
      """)

  @Option(
    help: ArgumentHelp(
      "Ask the daemon at the control socket of this configuration, instead of --socket.", valueName: "file"),
    completion: .file(extensions: ["yaml", "yml"]))
  var config: String?

  @OptionGroup var answer: AnswerOptions

  func run() async throws {
    let client = try config.map {
      ControlClient(socketPath: try Failure.configuration(at: $0).control.socket)
    }
    try await answer.print(ControlAPI.reload, (), from: client) { ChangeText.render($0) }
  }
}
