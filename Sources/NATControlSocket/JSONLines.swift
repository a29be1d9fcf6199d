public import NATControl

/// Reads a stream of documents, one JSON object a line, from pieces of any length.
public struct JSONLines<Document: Decodable> {
  private var line: [UInt8] = []

  public init() {}

  /// Adds a piece, and returns the documents whose lines are complete now.
  /// - Throws: a `ControlError` of reason `not-understood`.
  public mutating func next(_ piece: [UInt8]) throws(ControlError) -> [Document] {
    var documents: [Document] = []
    for part in piece.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
      // Every part but the first follows a line feed, which ends the line before.
      if part.offset > 0 {
        documents.append(try JSONBody.document(line))
        line = []
      }
      line += part.element
    }
    return documents
  }
}

/// Documents as JSON text, as the control socket writes them.
public enum ControlJSON {
  /// - Throws: a `ControlError` if the document cannot be encoded; those of NATControl can.
  public static func text(_ document: some Encodable) throws(ControlError) -> String {
    String(decoding: try JSONBody.encoded(document), as: UTF8.self)
  }
}
