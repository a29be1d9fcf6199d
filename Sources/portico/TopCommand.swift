import ArgumentParser
import NATControl
import NATControlSocket

struct TopCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "top",
    abstract: "Watch the traffic: rates of both sides, the busiest hosts, use of the pool, drops.",
    usage: "portico top [--interval <seconds>] [--count <n>] [--json] [<options>]",
    discussion: """
      Refreshes in place until q or Ctrl-C. If standard output is no terminal, the pictures follow each other. The first \
      picture shows totals, the others rates per second. Each picture costs the daemon one walk over the table.

      EXAMPLES
        portico top
        portico top --interval 5 --count 12 --json

      \(HelpText.daemonExitCodes)
      """)

  @Option(help: ArgumentHelp("Seconds between two pictures (0.1 to 3600).", valueName: "seconds"))
  var interval = 1.0

  @Option(help: ArgumentHelp("End after this number of pictures.", valueName: "n"))
  var count: Int?

  @Flag(help: "One JSON object a line for each picture: status, stats and hosts, as totals.")
  var json = false

  @OptionGroup var daemon: SocketOption

  func validate() throws {
    guard (0.1...3600).contains(interval) else {
      throw ValidationError("--interval is \(interval); expected a number of seconds from 0.1 to 3600")
    }
    if let count, count < 1 { throw ValidationError("--count is \(count); expected 1 or more") }
  }

  func run() async throws {
    Interruption.watch()
    let screen = json ? nil : LiveScreen()
    defer { screen?.restore() }
    var before: TopDocument?
    var shown = 0
    while true {
      let now = try await Failure.onRefusal { () async throws(ControlError) in
        try await TopDocument(of: daemon.client)
      }
      if json {
        try StandardOutput.write(try ControlJSON.text(now))
      } else {
        let size = screen?.size ?? (columns: 80, rows: 60)
        let text = TopText.render(
          now, since: before, columns: size.columns, rows: size.rows, .standardOutput)
        if let screen { try screen.show(text) } else { try StandardOutput.write(text + "\n") }
      }
      before = now
      shown += 1
      guard count.map({ shown < $0 }) ?? true, await isToGoOn(screen) else { return }
    }
  }

  /// Waits until the next picture is due; false if a key or a signal ends the command.
  private func isToGoOn(_ screen: LiveScreen?) async -> Bool {
    let clock = ContinuousClock()
    let next = clock.now.advanced(by: .seconds(interval))
    while clock.now < next {
      do { try Interruption.check() } catch { return false }
      switch screen?.key() {
      case UInt8(ascii: "q"), UInt8(ascii: "Q"), 3: return false
      default: break
      }
      try? await Task.sleep(for: .milliseconds(50))
    }
    return true
  }
}
