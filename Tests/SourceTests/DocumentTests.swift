import Foundation
import TestSupport
import Testing

/// Names of code in documents are names in the sources.
@Suite struct DocumentTests {
  /// Code spans that look like names of this project and are not.
  static let exceptions: Set<String> = [
    // Of Linux, Swift and other programs.
    "dmesg", "nft_socket", "CONFIG_NF_TABLES_ARP", "--static-swift-stdlib",
    // Examples.
    "portico-lan0/2", "portico help COMMAND", "SCTP.swift", "sctp", "PORTICO", "Safety:",
  ]

  @Test("every file, name, key, command and option in the code spans of the documents exists")
  func spans() throws {
    let tree = try Tree()
    for document in try Self.documents() {
      let text = try String(contentsOf: Package.root.appending(path: document), encoding: .utf8)
      let unknown = Set(Self.codeSpans(of: text)).subtracting(Self.exceptions).filter {
        !tree.knows($0, in: document)
      }
      #expect(unknown.isEmpty, "\(document): \(unknown.sorted().joined(separator: ", "))")
    }
  }

  @Test("an unknown file, name, key, command and option are found")
  func unknown() throws {
    let tree = try Tree()
    let known = [
      "Sources/NATWire", "Package.swift", "IPv4Address", "PacketBuilder.with", "port-choice",
      "nat.port-choice",
      "filtering: endpoint-independent", "portico replay --inside-out", "--seed", "tcp dport 80", "0.5 s",
    ]
    #expect(known.filter { !tree.knows($0, in: "README.md") } == [])
    let unknown = [
      "Sources/NATWirr", "Pakkage.swift", "IPv5Address", "PacketBuilder.withh", "port-chois",
      "nat.port-chois",
      "filterink: endpoint-independent", "portico replai", "portico replay --inside-ouut", "--seeed",
    ]
    #expect(unknown.filter { tree.knows($0, in: "README.md") } == [])
  }

  static func documents() throws -> [String] {
    let catalogue = "Sources/portico/portico.docc"
    let articles = try FileManager.default.contentsOfDirectory(
      atPath: Package.root.appending(path: catalogue).path)
    let tests = FileManager.default.enumerator(atPath: Package.root.appending(path: "Tests").path)?.compactMap
    {
      $0 as? String
    }
    return ["README.md"] + articles.filter { $0.hasSuffix(".md") }.map { "\(catalogue)/\($0)" }.sorted()
      + (tests ?? []).filter { $0.hasSuffix("README.md") }.map { "Tests/\($0)" }.sorted()
  }

  /// The text between single backticks, outside blocks of code.
  static func codeSpans(of text: String) -> [String] {
    var isBlock = false
    return text.split(separator: "\n").flatMap { line -> [String] in
      if line.drop(while: { $0 == " " }).hasPrefix("```") { isBlock.toggle() }
      guard !isBlock, !line.contains("``") else { return [] }
      let parts = line.split(separator: "`", omittingEmptySubsequences: false)
      return parts.indices.filter { $0 % 2 == 1 && $0 < parts.count - 1 }.map { String(parts[$0]) }
    }
  }

  /// What there is in the package.
  struct Tree {
    /// Files and folders, relative to the package.
    private var paths: Set<String> = []
    /// The last parts of the paths.
    private var fileNames: Set<String> = []
    /// The words of all code and settings, with and without hyphens.
    private var words: Set<String> = []

    init() throws {
      for folder in ["Sources", "Tests", "config", "systemd", ".ci", "Package.swift", "README.md"] {
        try add(folder)
      }
    }

    private mutating func add(_ path: String) throws {
      paths.insert(path)
      let name = path.split(separator: "/").last.map(String.init) ?? path
      fileNames.formUnion([name, String(name.split(separator: ".")[0])])
      let url = Package.root.appending(path: path)
      if try url.resourceValues(forKeys: [.isDirectoryKey]).isDirectory == true {
        for part in try FileManager.default.contentsOfDirectory(atPath: url.path) {
          try add("\(path)/\(part)")
        }
      } else if !["md", "pcap"].contains(url.pathExtension), !path.hasPrefix("Tests/SourceTests") {
        addWords(Array(try Data(contentsOf: url)))
      }
    }

    /// All words outside comments.
    private mutating func addWords(_ text: [UInt8]) {
      for line in text.split(separator: UInt8(ascii: "\n")) {
        guard !line.drop(while: { $0 == UInt8(ascii: " ") }).starts(with: "//".utf8) else { continue }
        for word in line.split(whereSeparator: { !isWord($0) && $0 != UInt8(ascii: "-") }) {
          words.insert(String(decoding: word, as: UTF8.self))
          if word.contains(UInt8(ascii: "-")) {
            for part in word.split(separator: UInt8(ascii: "-")) {
              words.insert(String(decoding: part, as: UTF8.self))
            }
          }
        }
      }
    }

    /// Whether a code span is no name of this project, or one that exists.
    func knows(_ span: String, in document: String) -> Bool {
      if span.hasPrefix("--") { return knowsOptions(span) }
      if span.hasPrefix("portico ") || span.hasPrefix("porticod ") { return knowsCommand(span) }
      if span.contains(#/^[\w.+-]+(\/[\w.+-]+)+\/?$/#), !span.contains(#/^[\d.\/]+$/#) {
        return knowsPath(span, in: document) || knowsNames(span)
      }
      if span.contains(#/^[\w-]+\.(swift|md|yaml|yml|json|service|c|h)$/#) { return fileNames.contains(span) }
      if let key = span.wholeMatch(of: #/([a-z0-9]+(?:[.-][a-z0-9]+)*): .*/#) {
        return knowsNames(String(key.1))
      }
      return !span.contains(#/^[A-Za-z_][\w.\/():-]*$/#) || knowsNames(span)
    }

    /// From the package, from the document's folder, or the end of a path.
    private func knowsPath(_ span: String, in document: String) -> Bool {
      let path = span.hasSuffix("/") ? String(span.dropLast()) : span
      return paths.contains(path) || paths.contains { $0.hasSuffix("/" + path) }
    }

    private func knowsNames(_ span: String) -> Bool {
      span.split { !($0.isLetter || $0.isNumber || $0 == "_" || $0 == "-") }.allSatisfy {
        words.contains(String($0)) || fileNames.contains(String($0))
      }
    }

    /// An option is written out, or a property that ArgumentParser names.
    private func knowsOptions(_ span: String) -> Bool {
      span.matches(of: #/--([a-z][a-z-]*)/#).allSatisfy { match in
        let parts = match.1.split(separator: "-")
        let property =
          parts[0] + parts.dropFirst().map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
        return words.contains(String(match.1)) || words.contains(String(property))
      }
    }

    private func knowsCommand(_ span: String) -> Bool {
      let parts = span.split(separator: " ")
      guard parts[0] == "portico", !parts[1].hasPrefix("-") else { return knowsOptions(span) }
      let name = parts[1].split(separator: "-").map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
      return (words.contains("\(name)Command") || parts[1] == "help") && knowsOptions(span)
    }
  }
}
