/// Columns aligned to the left, two spaces apart, without spaces at the end of a line.
struct TextColumns {
  let titles: [String]
  private var widths: [Int]

  init(_ titles: [String]) {
    self.titles = titles
    widths = titles.map(\.utf8.count)
  }

  mutating func widen(_ column: Int, to width: Int) {
    widths[column] = max(widths[column], width)
  }

  /// Characters of the longest line.
  var width: Int { widths.reduce(0, +) + 2 * (widths.count - 1) }

  mutating func measure(_ cells: [String]) {
    for (column, cell) in cells.enumerated() { widen(column, to: cell.utf8.count) }
  }

  func write(_ cells: [String], to output: inout some TextOutputStream) {
    for (column, cell) in cells.enumerated() {
      output.write(cell)
      if column < cells.count - 1 {
        output.write(String(repeating: " ", count: widths[column] - cell.utf8.count + 2))
      }
    }
    output.write("\n")
  }

  /// The titles and the rows.
  static func text(_ titles: [String], _ rows: [[String]]) -> String {
    var columns = TextColumns(titles)
    for row in rows { columns.measure(row) }
    var text = ""
    columns.write(titles, to: &text)
    for row in rows { columns.write(row, to: &text) }
    return text
  }
}
