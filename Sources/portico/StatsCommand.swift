import ArgumentParser
import NATControl
import NATControlSocket

struct StatsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stats",
    abstract: "The counters: packets of both sides, use of the pool, drops by reason, events.",
    discussion: """
      All count from the start of the daemon. Received and sent are packets and bytes of both sides; `captureDropped` are \
      frames for which the kernel had no room. A packet that is dropped counts under one reason; those that are zero are \
      left out, but for the JSON.

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
