public import NATControl

/// A stream of documents, one JSON object a line, as it comes in pieces.
public struct JSONLines<Document: Decodable> {
  private var line: [UInt8] = []

  public init() {}

  /// The documents whose lines are whole with this piece.
  /// - Throws: a `ControlError` of reason `not-understood`.
  public mutating func next(_ piece: [UInt8]) throws(ControlError) -> [Document] {
    var documents: [Document] = []
    for part in piece.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
      // Every part but the first begins behind a line feed, which ends the line before.
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
  /// - Throws: a `ControlError` where a document cannot be written, which is none of those there are.
  public static func text(_ document: some Encodable) throws(ControlError) -> String {
    String(decoding: try JSONBody.encoded(document), as: UTF8.self)
  }
}
