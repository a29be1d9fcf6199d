import ArgumentParser
import NATControl
import NATControlSocket

struct HostsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "hosts",
    abstract: "List the inside hosts with the most sessions: their sessions, bindings and traffic.",
    discussion: """
      Packets and bytes count the sessions that live now, from inside (OUT) and from outside (IN).

      EXAMPLES
        portico hosts
        portico hosts --limit 3 --json

      \(HelpText.daemonExitCodes)
      """)

  @Option(help: ArgumentHelp("The most hosts to list (1 to 65536).", valueName: "n"))
  var limit = HostsDocument.mostListed

  @OptionGroup var answer: AnswerOptions

  func validate() throws {
    if !(1...65_536).contains(limit) {
      throw ValidationError("--limit is \(limit); expected a number from 1 to 65536")
    }
  }

  func run() async throws {
    try await answer.print(ControlAPI.hosts, limit) { HostsText.render($0) }
  }
}
