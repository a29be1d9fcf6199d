import Foundation
import NATControlSocket
import Testing

/// The page that describes the control socket, against the server.
@Suite struct DocumentationTests {
  private struct Example {
    var command: String
    var answer: String?
  }

  private static func page() throws -> String {
    let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    return try String(
      contentsOf: package.appending(path: "Sources/portico/portico.docc/ControlAPI.md"), encoding: .utf8)
  }

  /// The commands of the page; an answer is the JSON that follows at once.
  private static func examples(_ page: String) -> [Example] {
    var examples: [Example] = []
    var block: (kind: String, lines: [String])?
    for line in page.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
      if let open = block {
        if line == "```" {
          let text = open.lines.joined(separator: "\n")
          if open.kind == "sh" {
            examples.append(Example(command: text))
          } else if open.kind == "json", !examples.isEmpty {
            examples[examples.count - 1].answer = text
          }
          block = nil
        } else {
          block?.lines.append(line)
        }
      } else if line.hasPrefix("```") {
        block = (String(line.dropFirst(3)), [])
      }
    }
    return examples
  }

  /// JSON in one form, whatever its line breaks and order of keys.
  private static func canonical(_ text: String) throws -> String {
    let value = try JSONSerialization.jsonObject(with: Data(text.utf8))
    return String(
      decoding: try JSONSerialization.data(withJSONObject: value, options: [.sortedKeys, .prettyPrinted]),
      as: UTF8.self)
  }

  @Test("every command of the page gives the answer that stands below it")
  func commands() async throws {
    let examples = DocumentationTests.examples(try DocumentationTests.page())
    try await TestServer.run { server in
      let happening = Task {
        while !Task.isCancelled {
          server.operations.happen(Examples.event)
          try await Task.sleep(for: .milliseconds(20))
        }
      }
      defer { happening.cancel() }
      var requests: Set<String> = []
      for example in examples {
        #expect(example.command.contains("/run/portico/control.sock"))
        let command = example.command.replacingOccurrences(
          of: "/run/portico/control.sock", with: server.socketPath)
        let result = try await Command.shell(command, in: server.folder)
        #expect(result.code == 0, "\(example.command): \(result.errors)")
        if let answer = example.answer {
          let (right, found) = (
            try DocumentationTests.canonical(answer),
            (try? DocumentationTests.canonical(result.output)) ?? result.output
          )
          #expect(found == right, "\(example.command)")
        }
        let words = example.command.split { " '\"\n".contains($0) }
        let path = words.first { $0.hasPrefix("http://portico") }.map {
          $0.dropFirst(14).prefix { $0 != "?" }
        }
        let method =
          words.firstIndex(of: "-X").map { String(words[$0 + 1]) }
          ?? (words.contains("--data") ? "POST" : "GET")
        requests.insert("\(method) \(path ?? "")")
      }
      #expect(requests == Set(ControlAPI.examples.map(\.name)))
      let commands = examples.map { $0.command.filter { !$0.isWhitespace } }
      for (name, example) in ControlAPI.examples {
        #expect(commands.contains { $0.contains(example) }, "\(name): \(example)")
      }
    }
  }

  @Test("the page's list of metrics, with kinds and labels, is what is served")
  func metrics() async throws {
    let page = try DocumentationTests.page()
    let listed = page.split(separator: "\n").filter { $0.hasPrefix("| `portico_") }.map { line in
      let cells = line.split(separator: "|", omittingEmptySubsequences: false).map {
        $0.trimmingCharacters(in: CharacterSet(charactersIn: " `"))
      }
      return "\(cells[1]) \(cells[2]) \(cells[3].replacingOccurrences(of: "`", with: ""))"
    }
    try await TestServer.run { server in
      _ = try await server.client.status()
      let text = String(decoding: try await server.client.answer(.get, "/metrics"), as: UTF8.self)
      var served: [String] = []
      let lines = text.split(separator: "\n").map(String.init)
      for (index, line) in lines.enumerated() where line.hasPrefix("# TYPE ") {
        let words = line.split(separator: " ")
        let sample = lines[index + 1]
        var labels: [String] = []
        for part in sample.components(separatedBy: "=\"").dropLast() {
          labels.append(String(part.reversed().prefix { $0.isLetter }.reversed()))
        }
        served.append("\(words[2]) \(words[3]) \(labels.joined(separator: ", "))")
      }
      #expect(listed == served)
    }
  }
}
