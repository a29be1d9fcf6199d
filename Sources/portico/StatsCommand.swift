import ArgumentParser
import NATControl
import NATControlSocket

struct StatsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stats",
    abstract: "Show the counters: packets of both sides, use of the pool, drops by reason, events.",
    discussion: """
      All counters begin with the daemon. Received and sent are packets and bytes of each side; `captureDropped` counts \
      frames that the kernel lost before the capture. A dropped packet counts under one reason. Reasons that are zero are \
      listed in the JSON only.

      EXAMPLES
        portico stats
        portico stats --json | jq .drops.noBinding

      \(HelpText.daemonExitCodes)
      """)

  @OptionGroup var answer: AnswerOptions

  func run() async throws {
    try await answer.print(ControlAPI.stats) { StatsText.render($0) }
  }
}
