import NATControl

/// The whole table as one JSON document, sent page by page, in memory for one page.
struct TableAnswer: Sendable {
  let operations: any GatewayOperations
  let filter: TableFilter
  let pageSessions: Int
  let first: TableDocument

  /// A binding whose sessions stand on several pages is one entry of the document.
  func write(to writer: PieceWriter) async throws {
    var json = TableJSON()
    var last: BindingDocument?
    var page = first
    while true {
      for var binding in page.bindings {
        let sessions = binding.sessions
        binding.sessions = []
        if last?.isSameBinding(as: binding) != true { json.append(binding) }
        for session in sessions {
          json.append(session)
          if json.isFull { try await writer.write(json.takeBytes()) }
        }
        if json.isFull { try await writer.write(json.takeBytes()) }
        last = binding
      }
      guard let next = page.next else { break }
      page = try await operations.table(filter, after: next, limit: pageSessions)
    }
    json.finish(next: nil)
    try await writer.write(json.takeBytes())
  }
}
