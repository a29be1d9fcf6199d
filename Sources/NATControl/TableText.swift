/// The table as text: one line for each session, and one for a binding without sessions.
public enum TableText {
  static let titles = [
    "PROTO", "PRIVATE IP", "PRIVATE PORT", "PUBLIC IP", "PUBLIC PORT", "DESTINATION", "STATE", "IDLE",
    "EXPIRES", "OUT", "IN",
  ]

  /// The title line and the table's lines, each with a line feed.
  public static func render(_ table: TableDocument) -> String {
    var pages = TablePages()
    return pages.next(table.bindings)
  }

  static var columns: TextColumns {
    var columns = TextColumns(titles)
    // Traffic changes all the time. Room for `12/1.0K` keeps its columns in place.
    columns.widen(9, to: 7)
    return columns
  }

  /// The cells of a line, or the titles, in the columns that fit into 80 characters.
  static func narrow(_ cells: [String]) -> [String] {
    if cells == titles { return ["PROTO", "PRIVATE", "PUBLIC", "DESTINATION", "STATE"] }
    return [cells[0], "\(cells[1]):\(cells[2])", "\(cells[3]):\(cells[4])", cells[5], cells[6]]
  }

  static func forEachLine(of binding: BindingDocument, _ body: ([String]) -> Void) {
    let start = [
      binding.transport.rawValue, binding.privateEndpoint.address, "\(binding.privateEndpoint.port)",
      binding.publicEndpoint.address, "\(binding.publicEndpoint.port)",
    ]
    for session in binding.sessions {
      body(
        start + [
          EndpointText.remote(session.remote, binding.transport), session.state.rawValue,
          HumanText.duration(session.idle), HumanText.duration(session.expiresIn),
          HumanText.traffic(packets: session.packetsOut, bytes: session.bytesOut),
          HumanText.traffic(packets: session.packetsIn, bytes: session.bytesIn),
        ])
    }
    if binding.sessions.isEmpty {
      body(start + Array(repeating: "-", count: titles.count - start.count))
    }
  }
}
