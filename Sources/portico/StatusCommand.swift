import ArgumentParser
import NATControl
import NATControlSocket

struct StatusCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "How the daemon is: version, interfaces, workers, and what does not work as it should.")

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
