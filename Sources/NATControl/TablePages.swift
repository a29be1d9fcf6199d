/// A table as text, page by page, in memory for one page.
///
/// As columns: they are as wide as the pages so far need, so a table of one page is aligned throughout. On a
/// terminal that is too narrow each endpoint has one column, and the columns after the state are left out. As
/// CSV: one line for each session, and one for a binding without sessions, with its last fields empty.
public struct TablePages {
  private let isCSV: Bool
  private let paint: Paint
  private let width: Int
  private var columns = TableText.columns
  private var narrow = TextColumns(TableText.narrow(TableText.titles))
  /// Decided by the first page.
  private var isNarrow = false
  private var isBegun = false

  /// - Parameter width: characters of a line; nil for lines of any length.
  public init(isCSV: Bool = false, _ paint: Paint = .plain, width: Int? = nil) {
    self.isCSV = isCSV
    self.paint = paint
    self.width = width ?? .max
  }

  /// The lines of the next page, and before the first page the titles.
  /// - Complexity: O(sessions).
  public mutating func next(_ bindings: [BindingDocument]) -> String {
    var text = ""
    if isCSV {
      if !isBegun { text += TablePages.names.joined(separator: ",") + "\n" }
      for binding in bindings { TablePages.write(binding, to: &text) }
    } else {
      for binding in bindings {
        TableText.forEachLine(of: binding) {
          columns.measure($0)
          narrow.measure(TableText.narrow($0))
        }
      }
      if !isBegun {
        isNarrow = columns.width > width
        var titles = ""
        write(TableText.titles, to: &titles)
        text += paint.title(titles)
      }
      for binding in bindings { TableText.forEachLine(of: binding) { write($0, to: &text) } }
    }
    isBegun = true
    return text
  }

  private func write(_ cells: [String], to text: inout String) {
    if isNarrow { narrow.write(TableText.narrow(cells), to: &text) } else { columns.write(cells, to: &text) }
  }

  /// The names of the values. No name and no value holds a comma or a quote.
  private static let names = [
    "protocol", "kind", "private_address", "private_port", "public_address", "public_port", "age_seconds",
    "remote_address", "remote_port", "state", "idle_seconds", "expires_in_seconds", "packets_out",
    "bytes_out", "packets_in", "bytes_in", "hairpin",
  ]

  private static func write(_ binding: BindingDocument, to text: inout String) {
    let start =
      "\(binding.transport.rawValue),\(binding.kind.rawValue),"
      + "\(binding.privateEndpoint.address),\(binding.privateEndpoint.port),"
      + "\(binding.publicEndpoint.address),\(binding.publicEndpoint.port),\(binding.age)"
    for session in binding.sessions {
      text += start
      text += ",\(session.remote.address),\(session.remote.port),\(session.state.rawValue)"
      text += ",\(session.idle),\(session.expiresIn)"
      text += ",\(session.packetsOut),\(session.bytesOut),\(session.packetsIn),\(session.bytesIn)"
      text += ",\(session.hairpin)\n"
    }
    if binding.sessions.isEmpty { text += start + String(repeating: ",", count: 10) + "\n" }
  }
}
