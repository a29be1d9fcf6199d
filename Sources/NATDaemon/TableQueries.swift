import NATComposition
import NATControl
import NATTable
import NATWire

/// Reads the table while the workers write it. Reading does not disturb the packet path.
struct TableQueries: Sendable {
  let table: TranslationTable
  /// When the gateway started; port forwards are as old.
  let started: Instant

  /// - Throws: `bad-cursor`, `too-many-readers`.
  /// - Complexity: O(records · log limit).
  func page(_ filter: TableFilter, after cursor: String?, limit: Int) async throws(ControlError)
    -> TableDocument
  {
    guard var page = TablePage(SessionFilter(filter), after: cursor, limit: limit, at: LiveClock.now) else {
      throw ControlError(
        status: 400, reason: "bad-cursor", "found a cursor of no page; expected `next` of an earlier answer")
    }
    let reader = try await walk { page.add($0) }
    return page.document(reader, started: started)
  }

  /// - Complexity: O(records).
  func sessionCounts() async throws(ControlError) -> [SessionCount] {
    let now = LiveClock.now
    var tally = SessionTally()
    _ = try await walk { session in
      guard session.expires >= now else { return }
      tally.add(TransportName(session.transport), SessionDocument.State(session.state))
    }
    return tally.counts
  }

  /// - Complexity: O(records).
  func hosts(limit: Int) async throws(ControlError) -> HostsDocument {
    let now = LiveClock.now
    var tally = HostTally()
    let reader = try await walk { tally.add($0, at: now) }
    return tally.document(reader, limit: limit)
  }

  /// Reads the whole table in chunks. Other tasks run in between.
  private func walk(_ body: (SessionSnapshot) -> Void) async throws(ControlError) -> TableReader {
    guard let reader = TableReader(table) else {
      throw ControlError(
        status: 503, reason: "too-many-readers", "the table has as many readers as it has room for; try again"
      )
    }
    var cursor: TableReader.Cursor? = TableReader.Cursor()
    while let from = cursor {
      cursor = reader.read(from: from, limit: TableReader.chunk, body)
      await Task.yield()
    }
    return reader
  }
}
