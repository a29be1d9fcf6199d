/// The place of a setting in the file.
struct Place {
  /// The path of the setting, such as `nat.pool[0].ports`.
  var setting: String
  /// From 1.
  var line: Int?
  /// From 1, in Unicode scalars.
  var column: Int?

  /// The place of a key inside this mapping. Line and column are those of the mapping.
  func child(_ key: String) -> Place {
    Place(setting: setting.isEmpty ? key : "\(setting).\(key)", line: line, column: column)
  }
}

/// A value and its place, for checks between settings.
struct Located<Value> {
  let value: Value
  let place: Place
}

/// Collects the problems of a file, so that one pass finds all of them.
final class Report {
  private let file: String?
  private(set) var problems: [ConfigurationErrors.Problem] = []

  init(file: String?) { self.file = file }

  func add(_ place: Place, found: String, expected: String) {
    problems.append(
      ConfigurationErrors.Problem(
        file: file, line: place.line, column: place.column,
        setting: place.setting.isEmpty ? "configuration" : place.setting, found: found,
        expected: expected))
  }

  /// The problems in the order of the file.
  func errors(_ kind: ConfigurationErrors.Kind = .content) -> ConfigurationErrors {
    ConfigurationErrors(
      kind: kind,
      problems: problems.enumerated().sorted { a, b in
        (a.element.line ?? 0, a.element.column ?? 0, a.offset)
          < (b.element.line ?? 0, b.element.column ?? 0, b.offset)
      }.map(\.element))
  }
}

extension StringProtocol {
  /// The text in quotes for a message: at most 60 characters, control characters escaped.
  var quoted: String {
    let limit = 60
    return unicodeScalars.count <= limit
      ? String(self).debugDescription
      : String(String.UnicodeScalarView(unicodeScalars.prefix(limit))).debugDescription + "..."
  }
}
