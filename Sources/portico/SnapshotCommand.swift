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

  @Flag(help: "The answer as JSON, for programs.")
  var json = false

  @OptionGroup var daemon: SocketOption

  func run() async throws {
    let snapshot = try await Failure.onRefusal { () async throws(ControlError) in
      try await daemon.client.snapshot()
    }
    try StandardOutput.write(json ? try ControlJSON.text(snapshot) : ChangeText.render(snapshot))
  }
}
