private import FoundationEssentials
import NATControl
import NIOCore

/// Documents written as JSON, and bodies of requests read from JSON.
enum JSONBody {
  static func encoded(_ document: some Encodable) throws(ControlError) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      return Array(try encoder.encode(document)) + [UInt8(ascii: "\n")]
    } catch {
      throw ControlError(
        status: 500, reason: "not-encodable", "the answer cannot be written as JSON: \(error)")
    }
  }

  /// Reads a document, and refuses unknown keys.
  /// - Parameters:
  ///   - keys: those that the document may have.
  ///   - example: a correct document, for the refusal.
  static func decoded<Document: Decodable>(
    _ body: ByteBuffer, as type: Document.Type, keys: [String], example: String
  ) throws(ControlError) -> Document {
    let data = Data(body.readableBytesView)
    func refused(_ found: String) -> ControlError {
      ControlError(status: 400, reason: "bad-json", "\(found); expected something like \(example)")
    }
    guard !data.isEmpty else { throw refused("there is no body") }
    let decoder = JSONDecoder()
    do {
      let unknown = try decoder.decode([String: AnyValue].self, from: data).keys.filter { !keys.contains($0) }
      if let name = unknown.min() { throw refused("the body has an unknown key \(quoted(name))") }
      return try decoder.decode(Document.self, from: data)
    } catch let error as ControlError {
      throw error
    } catch let error as DecodingError {
      throw refused(found(error))
    } catch {
      throw refused("the body is no JSON object: \(error)")
    }
  }

  /// Reads an answer of the daemon.
  static func document<Document: Decodable>(_ bytes: [UInt8]) throws(ControlError) -> Document {
    do {
      return try JSONDecoder().decode(Document.self, from: Data(bytes))
    } catch {
      throw ControlError(
        status: 0, reason: "not-understood",
        "the answer is not what this portico knows (\(error)); use the portico that came with the daemon")
    }
  }

  /// The error in an answer with another status than 2xx.
  static func refusal(_ body: ByteBuffer, status: Int) -> ControlError {
    guard var error = try? JSONDecoder().decode(ControlError.self, from: Data(body.readableBytesView)) else {
      return ControlError(
        status: status, reason: "not-understood",
        "an answer with status \(status) and no error that this portico knows; is it a porticod that listens there?"
      )
    }
    error.status = status
    return error
  }

  private static func found(_ error: DecodingError) -> String {
    func place(_ path: [any CodingKey]) -> String {
      path.isEmpty ? "the body" : "'\(path.map(\.stringValue).joined(separator: "."))'"
    }
    return switch error {
    case .keyNotFound(let key, let context):
      "\(place(context.codingPath + [key])) is missing"
    case .typeMismatch(_, let context), .valueNotFound(_, let context):
      "\(place(context.codingPath)) has a value of another kind"
    case .dataCorrupted(let context):
      context.codingPath.isEmpty
        ? "the body is no JSON object" : "\(place(context.codingPath)) has a value that is not allowed"
    @unknown default: "the body cannot be read"
    }
  }
}

/// A value of which only the key matters.
private struct AnyValue: Decodable {
  init(from decoder: any Decoder) {}
}

extension ControlError {
  /// The error as JSON, with a line feed.
  var json: [UInt8] {
    // Encoding two strings cannot fail.
    (try? JSONBody.encoded(self)) ?? []
  }
}
