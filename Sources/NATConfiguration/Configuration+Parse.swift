import Foundation

extension Configuration {
  /// Reads a configuration, and checks everything that does not depend on the machine.
  ///
  /// - Parameters:
  ///   - text: YAML.
  ///   - file: the file name for messages.
  /// - Throws: all problems.
  /// - Complexity: O(n log n) in the size of the text. Each repeated key costs O(n) more.
  public static func parse(_ text: String, file: String) throws(ConfigurationErrors) -> Configuration {
    let reader = Reader(Report(file: file))
    let hasMark = text.unicodeScalars.first == "\u{FEFF}"
    let root = YAMLDocument.read(
      hasMark ? String(text.unicodeScalars.dropFirst()) : text, report: reader.report)
    let configuration = root.flatMap { Configuration(reading: $0, reader) }
    guard let configuration, reader.report.problems.isEmpty else { throw reader.report.errors() }
    return configuration
  }

  /// Reads a file, and checks its settings against each other.
  /// - Returns: nil or meaningless values if the report has problems.
  private init?(reading root: Node, _ reader: Reader) {
    var root = root
    if case .nothing = root.content { root = Node(place: root.place, content: .mapping([])) }
    let file = Section(root, at: root.place, keys: Configuration.declared.keys, report: reader.report)
    guard file.isReadable else { return nil }
    let unknown = Interface(name: "", address: .machine, prefixLength: 32)
    self.init(interfaces: Interfaces(inside: unknown, outside: unknown))
    nat = NAT(insideNetworks: [], pool: [])
    reader.read(file, Configuration.declared, into: &self)
    setDefaults(reader)
    Checks(configuration: self, reader: reader).run()
    nat.pool = nat.pool.reduce(into: []) { merged, entry in
      if let index = merged.firstIndex(where: { $0.address == entry.address }) {
        merged[index].ports = (merged[index].ports + entry.ports).merged
      } else {
        merged.append(entry)
      }
    }
  }

  /// Sets defaults that depend on other settings.
  private mutating func setDefaults(_ reader: Reader) {
    let defaults = Configuration(interfaces: interfaces, routes: routes)
    if reader.isMissing("nat.inside-networks") { nat.insideNetworks = defaults.nat.insideNetworks }
    if reader.isMissing("nat.pool") { nat.pool = defaults.nat.pool }
    for index in nat.pool.indices where reader.isMissing("nat.pool[\(index)].ports") {
      if nat.pool[index].ports.isEmpty {
        let isMachine = nat.pool[index].address == .machine
        nat.pool[index].ports = [isMachine ? Configuration.machinePorts : 1024...65535]
      }
    }
  }

  /// Reads the configuration file at a path.
  /// - Throws: all problems. The kind is ``ConfigurationErrors/Kind/unreadable`` if the file cannot be read.
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

  /// The place of the first invalid UTF-8.
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
