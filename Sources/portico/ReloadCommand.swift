import ArgumentParser
import NATControl
import NATControlSocket

struct ReloadCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reload",
    abstract:
      "Have the daemon read its configuration again: all of it, or, where anything is wrong, nothing.",
    discussion: "Prints what changed, and which sessions that ended.")

  @Flag(help: "The answer as JSON, for programs.")
  var json = false

  @OptionGroup var daemon: SocketOption

  func run() async throws {
    let reload = try await Failure.onRefusal { () async throws(ControlError) in
      try await daemon.client.reload()
    }
    try StandardOutput.write(json ? try ControlJSON.text(reload) : ChangeText.render(reload))
  }
}
