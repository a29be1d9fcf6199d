import Foundation

extension Configuration {
  /// Reads a configuration and checks everything that can be checked without the machine it is for.
  ///
  /// - Parameters:
  ///   - text: The YAML text.
  ///   - file: The file's name, for messages.
  /// - Throws: Everything that is wrong, not only the first of it.
  /// - Complexity: O(n log n) in the size of the text; each repeated key costs O(n) more.
  public static func parse(_ text: String, file: String) throws(ConfigurationErrors) -> Configuration {
    let report = Report(file: file)
    let hasMark = text.unicodeScalars.first == "\u{FEFF}"
    let root = YAMLDocument.read(
      hasMark ? String(text.unicodeScalars.dropFirst()) : text, report: report)
    let configuration = root.flatMap { Draft(reading: $0, report: report).checked() }
    guard let configuration, report.problems.isEmpty else { throw report.errors() }
    return configuration
  }

  /// Reads the configuration file at a path.
  ///
  /// - Throws: Everything that is wrong, of the kind ``ConfigurationErrors/Kind/unreadable`` if there is no
  ///   such file or it cannot be read.
  public static func load(path: String) throws(ConfigurationErrors) -> Configuration {
    let report = Report(file: path)
    let url = URL(fileURLWithPath: path)
    let bytes: Data
    do {
      bytes = try Data(contentsOf: url)
    } catch {
      report.add(Place(setting: ""), found: reason(of: error, at: url), expected: "a readable YAML file")
      throw report.errors(.unreadable)
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      report.add(firstInvalid(in: bytes), found: "bytes that are not UTF-8", expected: "UTF-8 text")
      throw report.errors()
    }
    return try parse(text, file: path)
  }

  private static func reason(of error: any Error, at url: URL) -> String {
    switch (error as? CocoaError)?.code {
    case .fileReadNoSuchFile, .fileNoSuchFile: return "no such file"
    case .fileReadNoPermission: return "a file without permission to read it"
    default:
      let isDirectory = try? url.resourceValues(forKeys: [.isDirectoryKey]).isDirectory
      return isDirectory == true ? "a directory" : "a file that cannot be read"
    }
  }

  /// The place of the first bytes that are not UTF-8.
  private static func firstInvalid(in bytes: Data) -> Place {
    var place = Place(setting: "", line: 1, column: 1)
    var decoder = UTF8()
    var iterator = bytes.makeIterator()
    while case .scalarValue(let scalar) = decoder.decode(&iterator) {
      if scalar == "\n" {
        place.line? += 1
        place.column = 1
      } else {
        place.column? += 1
      }
    }
    return place
  }
}
