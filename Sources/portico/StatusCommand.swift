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

  @Flag(help: "As JSON, for programs.")
  var json = false

  @OptionGroup var daemon: SocketOption

  func run() async throws {
    if json {
      try await Failure.streaming(daemon.client, "/v1/status") { try StandardOutput.write($0) }
    } else {
      let status = try await Failure.onRefusal { () async throws(ControlError) in
        try await daemon.client.status()
      }
      try StandardOutput.write(StatusText.render(status, Paint.standardOutput))
    }
  }
}
