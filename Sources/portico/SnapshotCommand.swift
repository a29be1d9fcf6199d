import ArgumentParser
import NATControl
import NATControlSocket

struct SnapshotCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "snapshot",
    abstract: "Have the daemon write its bindings, sessions and resting ports to its state file now.",
    discussion: """
      The file is `state.file` of the configuration. The daemon also writes it every `state.interval` and when it stops, and \
      restores it when it starts. A new file replaces the old one only when it is complete.

      EXAMPLES
        portico snapshot

      FILES
        /var/lib/portico/state  a usual `state.file`

      \(HelpText.daemonExitCodes)
      """)

  @OptionGroup var answer: AnswerOptions

  func run() async throws {
    try await answer.print(ControlAPI.snapshot) { ChangeText.render($0) }
  }
}
