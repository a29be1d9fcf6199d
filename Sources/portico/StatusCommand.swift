import ArgumentParser
import NATControl
import NATControlSocket

struct StatusCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract:
      "Show the status of the daemon: version, interfaces, workers, and what does not work as configured.",
    discussion: """
      Each reason why the gateway does less than it should has a line that begins with `degraded`. Each interface is \
      listed with its address, its MTU in bytes, and its link: up, down (no carrier) or missing. Each worker is listed with \
      the share of time that it works, and its longest round, which is the longest that a packet waited.

      EXAMPLES
        portico status
        portico status --json | jq .degraded

      \(HelpText.daemonExitCodes)
      """)

  @OptionGroup var answer: AnswerOptions

  func run() async throws {
    try await answer.print(ControlAPI.status) { StatusText.render($0, .standardOutput) }
  }
}
