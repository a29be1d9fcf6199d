import ArgumentParser
import NATControl
import NATControlSocket

struct EndCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "end",
    abstract: "End the dynamic sessions that match; a binding ends with its last session.",
    usage: "portico end (<filters> | --all) [--json] [<options>]",
    discussion: """
      The gateway sends nothing to either endpoint. The next packet from inside creates a new binding; for TCP only a SYN \
      does, unless `tcp.loose` is on. Static mappings stay. Without a filter, --all is required.

      EXAMPLES
        portico end --private 192.168.1.2
        portico end --protocol udp --remote 198.51.100.53:53
        portico end --all

      \(HelpText.daemonExitCodes)
      """)

  @OptionGroup var filters: FilterOptions

  @Flag(help: "End all of them.")
  var all = false

  @OptionGroup var answer: AnswerOptions

  func validate() throws {
    let isEmpty = try filters.filter.isEmpty
    if isEmpty && !all {
      throw ValidationError("no filter is given, so all sessions would end; give a filter, or --all")
    }
    if !isEmpty && all { throw ValidationError("--all and a filter contradict each other; give one of them") }
  }

  func run() async throws {
    let filter = try filters.filter
    try await answer.print(ControlAPI.end, filter) { ChangeText.render($0) }
  }
}
