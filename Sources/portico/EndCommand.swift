import ArgumentParser
import NATControl
import NATControlSocket

struct EndCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "end",
    abstract: "End the dynamic sessions that match; a binding ends with its last session.",
    discussion: "The next packet from inside makes a new binding. Static mappings stay.")

  @OptionGroup var filters: FilterOptions

  @Flag(help: "End all of them.")
  var all = false

  @Flag(help: "The answer as JSON, for programs.")
  var json = false

  @OptionGroup var daemon: SocketOption

  func validate() throws {
    let isEmpty = try filters.filter.isEmpty
    if isEmpty && !all {
      throw ValidationError("no filter is given, so all sessions would end; give a filter, or --all")
    }
    if !isEmpty && all { throw ValidationError("--all and a filter contradict each other; give one of them") }
  }

  func run() async throws {
    let filter = try filters.filter
    let ended = try await Failure.onRefusal { () async throws(ControlError) in
      try await daemon.client.end(filter)
    }
    try StandardOutput.write(json ? try ControlJSON.text(ended) : ChangeText.render(ended))
  }
}
