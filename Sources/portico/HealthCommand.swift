import ArgumentParser
import NATControl
import NATControlSocket

struct HealthCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "health",
    abstract: "Tell by the exit code whether the gateway forwards packets: 0 if it does, 1 if not.",
    discussion: """
      Prints `healthy`, or the reasons why no packets are forwarded, such as an interface without carrier. A gateway that \
      forwards but does less than configured is healthy; `portico status` says what it lacks.

      EXAMPLES
        portico health
        portico health --json | jq .reasons

      \(HelpText.daemonExitCodes)
      """)

  @OptionGroup var answer: AnswerOptions

  func run() async throws {
    let health = try await Failure.onRefusal { () async throws(ControlError) in
      try await answer.daemon.client.ask(ControlAPI.health)
    }
    try StandardOutput.write(answer.json ? try ControlJSON.text(health) : health.text(.standardOutput))
    if !health.healthy { throw ExitCode(Failure.refused) }
  }
}
