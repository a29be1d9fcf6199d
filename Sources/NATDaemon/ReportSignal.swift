import Glibc
import NATControl
import NATSystem
import UnixSignals

/// Prints the table and the counters on standard output on SIGUSR1, page by page, in memory for one page.
struct ReportSignal: Component {
  let control: any GatewayOperations

  /// Stands behind each report, for programs that read them.
  private static let end = "end of report\n"
  private static let pageSessions = 16_384

  func run() async {
    for await _ in await UnixSignalsSequence(trapping: .sigusr1) {
      // Without an answer the workers have stopped.
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

  /// A reader that is gone gets nothing more.
  private func write(_ text: String) { _ = writeAll(Array(text.utf8), to: STDOUT_FILENO) }
}
