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

  @Flag(help: "As JSON, for programs: every drop reason, zero or not.")
  var json = false

  @OptionGroup var daemon: SocketOption

  func run() async throws {
    if json {
      try await Failure.streaming(daemon.client, "/v1/stats") { try StandardOutput.write($0) }
    } else {
      let stats = try await Failure.onRefusal { () async throws(ControlError) in
        try await daemon.client.stats()
      }
      try StandardOutput.write(StatsText.render(stats))
    }
  }
}
