import Glibc
import NATControl
import NATSystem
import UnixSignals

/// Prints the table and the counters to standard output on SIGUSR1. It holds one page in memory.
struct ReportSignal: Component {
  let control: any GatewayOperations

  /// The last line of each report, for programs that read reports.
  private static let end = "end of report\n"
  private static let pageSessions = 16_384

  func run() async {
    for await _ in await UnixSignalsSequence(trapping: .sigusr1) {
      // It fails only if the workers have stopped.
      try? await printReport()
    }
  }

  private func printReport() async throws(ControlError) {
    var text = TablePages()
    var cursor: String?
    repeat {
      let page = try await control.table(TableFilter(), after: cursor, limit: ReportSignal.pageSessions)
      write(text.next(page.bindings))
      cursor = page.next
    } while cursor != nil
    write("\n" + StatsText.render(try await control.stats()) + ReportSignal.end)
  }

  /// Ignores write errors: the reader may be gone.
  private func write(_ text: String) { _ = writeAll(Array(text.utf8), to: STDOUT_FILENO) }
}
