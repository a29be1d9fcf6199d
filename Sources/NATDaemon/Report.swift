import Glibc
import NATComposition
import NATControl
import NATGateway
import NATSystem
import NATTable
import UnixSignals

/// The table and the counters for people, on standard output whenever SIGUSR1 arrives.
struct Report {
  let table: TranslationTable
  let mailbox: Mailbox

  /// Stands behind each report, for programs that read them.
  static let end = "end of report\n"

  /// Runs until it is cancelled.
  func run() async {
    let started = LiveClock.now
    for await _ in await UnixSignalsSequence(trapping: .sigusr1) {
      // The counters of a shard are its worker's. Without an answer the worker has stopped.
      guard let figures = await mailbox.perform(ReadFigures())?.figures, let reader = TableReader(table)
      else {
        continue
      }
      let document = TableDocument(reader, started: started, at: LiveClock.now)
      write(TableText.render(document) + "\n" + StatsText.render(StatsDocument(figures)) + Report.end)
    }
  }

  /// Whoever reads no more gets no more.
  private func write(_ text: String) {
    _ = writeAll(Array(text.utf8), to: STDOUT_FILENO)
  }
}
