import Foundation

/// Any JSON, with numbers as written, not as the nearest binary fraction.
enum JSONValue: Equatable, Decodable {
  case null
  case boolean(Bool)
  case number(Decimal)
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let value = try? container.decode(Bool.self) {
      self = .boolean(value)
    } else if let value = try? container.decode(Decimal.self) {
      self = .number(value)
    } else if let value = try? container.decode(String.self) {
      self = .string(value)
    } else if let value = try? container.decode([JSONValue].self) {
      self = .array(value)
    } else {
      self = .object(try container.decode([String: JSONValue].self))
    }
  }

  static func parse(_ text: String) throws -> JSONValue {
    try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
  }

  /// Every place where two values differ, with its path.
  /// - Parameter absentAsZero: the path of an object whose absent members count as zero where they are expected.
  static func differences(
    expected: JSONValue?, found: JSONValue?, at path: String = "", absentAsZero: String? = nil
  ) -> [String] {
    switch (expected, found) {
    case (.object(let expected), .object(let found)):
      return Set(expected.keys).union(found.keys).sorted().flatMap { key in
        let wanted = expected[key] ?? (path == absentAsZero ? .number(0) : nil)
        return differences(
          expected: wanted, found: found[key], at: path.isEmpty ? key : "\(path).\(key)",
          absentAsZero: absentAsZero)
      }
    case (.array(let expected), .array(let found)):
      return (0..<max(expected.count, found.count)).flatMap { index in
        differences(
          expected: index < expected.count ? expected[index] : nil,
          found: index < found.count ? found[index] : nil, at: "\(path)[\(index)]", absentAsZero: absentAsZero
        )
      }
    default:
      guard expected != found else { return [] }
      return ["\(path): expected \(expected?.text ?? "nothing"), found \(found?.text ?? "nothing")"]
    }
  }

  var text: String {
    switch self {
    case .null: "null"
    case .boolean(let value): "\(value)"
    case .number(let value): "\(value)"
    case .string(let value): "\"\(value)\""
    case .array(let values): "[" + values.map(\.text).joined(separator: ", ") + "]"
    case .object(let members):
      "{"
        + members.sorted { $0.key < $1.key }.map { "\"\($0.key)\": \($0.value.text)" }.joined(separator: ", ")
        + "}"
    }
  }
}
