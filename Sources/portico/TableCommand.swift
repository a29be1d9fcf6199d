import ArgumentParser
import NATControl
import NATControlSocket

struct TableCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "table",
    abstract: "List the live NAT table: all bindings and sessions, or those that match the filters.",
    usage: "portico table [<filters>] [--limit <n>] [--json | --csv] [<options>]",
    discussion: """
      Each session has a line, and each static mapping without sessions. IDLE is the time since the last packet, EXPIRES \
      the time that the session lives without another. OUT and IN are packets/bytes from inside and from outside. With \
      several filters an entry must match all of them.

      An entry that lives during the listing is on it exactly once. Memory does not grow with the table. --limit and \
      --cursor list one page; the cursor of the next page is printed on standard error, or is `next` in the JSON.

      EXAMPLES
        portico table
        portico table --protocol tcp --private 192.168.1.0/24 --state established
        portico table --remote 142.250.195.100:443 --csv

      \(HelpText.daemonExitCodes)
      """)

  @OptionGroup var filters: FilterOptions

  @Option(help: ArgumentHelp("The most sessions to list (1 to 65536).", valueName: "n"))
  var limit: Int?

  @Option(help: ArgumentHelp("Continue after the page that gave this cursor.", valueName: "cursor"))
  var cursor: String?

  @Flag(help: "As JSON, for programs.")
  var json = false

  @Flag(help: "As comma-separated values (RFC 4180), one line a session.")
  var csv = false

  @OptionGroup var daemon: SocketOption

  func validate() throws {
    if json && csv { throw ValidationError("--json and --csv contradict each other; give one of them") }
    if let limit, !(1...65_536).contains(limit) {
      throw ValidationError("--limit is \(limit); expected a number from 1 to 65536")
    }
  }

  func run() async throws {
    let filter = try filters.filter
    if json {
      try await writeJSON(filter)
    } else {
      try await writePages(filter)
    }
  }

  /// Passes the daemon's JSON on, piece by piece.
  private func writeJSON(_ filter: TableFilter) async throws {
    var parameters = filter.parameters
    if let limit { parameters.append(("limit", "\(limit)")) }
    if let cursor { parameters.append(("cursor", cursor)) }
    try await Failure.streaming(daemon.client, "/v1/table", parameters) { try StandardOutput.write($0) }
  }

  /// Lists page by page: a slow reader keeps no connection open, and the columns need a whole page.
  private func writePages(_ filter: TableFilter) async throws {
    var text = TablePages(isCSV: csv, .standardOutput, width: StandardOutput.terminalSize?.columns)
    var cursor = cursor
    repeat {
      let page = try await Failure.onRefusal { () async throws(ControlError) in
        try await daemon.client.table(filter, after: cursor, limit: limit ?? 65_536)
      }
      try StandardOutput.write(text.next(page.bindings))
      cursor = page.next
    } while cursor != nil && limit == nil
    if let cursor { Failure.say("there is more: --limit \(limit ?? 65_536) --cursor \(cursor)") }
  }
}
