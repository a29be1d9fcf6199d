import ArgumentParser
import NATControl
import NATControlSocket

struct StatusCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "How the daemon is: version, interfaces, workers, and what does not work as it should.",
    discussion: """
      Each reason for which the gateway does less than it should stands on a line of its own that begins with \
      `degraded`. Of each interface: its address, its MTU in bytes, and whether it is up, down (no carrier) or missing. \
      Of each worker: the share of its time that it works, and the longest that a packet waited for those before it.

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
