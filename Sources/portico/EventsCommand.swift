import ArgumentParser
import NATControl
import NATControlSocket

struct EventsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "events",
    abstract: "Follow the events: bindings and sessions created and ended, limits reached, reloads.",
    discussion: """
      Prints one line an event until it is interrupted or the daemon ends (exit code 69). A reader that does not keep up \
      loses events and gets their number.

      EXAMPLES
        portico events
        portico events --json | jq 'select(.event == "binding-created")'

      \(HelpText.daemonExitCodes)
      """)

  @Flag(help: "One JSON object a line, for programs.")
  var json = false

  @OptionGroup var daemon: SocketOption

  func run() async throws {
    let paint = Paint.standardOutput
    var lines = JSONLines<EventDocument>()
    try await Failure.streaming(daemon.client, "/v1/events", isPatient: true) { piece in
      if json { return try StandardOutput.write(piece) }
      for event in try lines.next(piece) { try StandardOutput.write(EventText.render(event, paint)) }
    }
    throw Failure.exit(Failure.unavailable, "\(daemon.socket): the daemon has ended")
  }
}
