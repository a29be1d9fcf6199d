import Foundation
import NATLab

/// The unit that `portico install` installs, as far as it restricts the daemon.
struct ServiceUnit {
  private let lines: [(name: String, value: String)]

  init() throws {
    let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let text = try String(contentsOf: package.appending(path: "systemd/portico.service"), encoding: .utf8)
    lines = text.split(separator: "\n").filter { !$0.hasPrefix("#") }.compactMap { line in
      line.firstIndex(of: "=").map { (String(line[..<$0]), String(line[line.index(after: $0)...])) }
    }
  }

  func values(_ name: String) -> [String] { lines.filter { $0.name == name }.map(\.value) }

  func words(_ name: String) -> [String] {
    values(name).flatMap { $0.split(separator: " ").map(String.init) }
  }

  /// The system calls that SystemCallFilter= permits: its first line is a list of those that are, `~` takes away
  /// (systemd.exec(5)).
  func permittedCalls() throws -> Set<String> {
    let sets = try Self.callSets()
    func calls(_ word: String) -> Set<String> {
      guard let names = sets[word] else { return [word] }
      return names.reduce(into: []) { $0.formUnion(calls($1)) }
    }
    var permitted = calls("@default")
    for value in values("SystemCallFilter") {
      for word in value.drop(while: { $0 == "~" }).split(separator: " ") {
        let these = calls(String(word))
        if value.hasPrefix("~") { permitted.subtract(these) } else { permitted.formUnion(these) }
      }
    }
    return permitted
  }

  /// What each name of a set stands for; sets among them.
  private static func callSets() throws -> [String: [String]] {
    let program = try ChildProcess(["/usr/bin/systemd-analyze", "syscall-filter"])
    let text = program.readToEnd()
    guard program.wait() == 0 else { throw LabFailure(description: "systemd-analyze: \(text)") }
    var sets: [String: [String]] = [:]
    var name: String?
    for line in text.split(separator: "\n") {
      if line.hasPrefix("@") {
        name = String(line)
      } else if !line.hasPrefix(" ") {
        name = nil
      } else if let name, let word = line.split(separator: " ").first, word != "#" {
        sets[name, default: []].append(String(word))
      }
    }
    return sets
  }
}

/// What strace(1) wrote of a program and all its threads.
struct SystemCalls {
  struct Call: CustomStringConvertible {
    var name: String
    /// What it was called with, and what it returned where that stands on the same line.
    var rest: String

    var description: String { name + rest }

    /// The first text among its arguments.
    var text: String? {
      rest.split(separator: "\"", omittingEmptySubsequences: false).dropFirst().first.map(String.init)
    }
  }

  /// All from the moment on at which the traced process became `program`.
  let calls: [Call]

  init(_ file: URL, of program: String) throws {
    let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
    let start = lines.firstIndex { $0.contains("execve(\"\(program)\"") } ?? lines.endIndex
    calls = lines[start...].dropFirst().compactMap { line in
      // `PID  name(...`; signals, ends and the second halves of calls begin with signs.
      let call = line.drop { $0.isNumber }.drop { $0 == " " }
      guard let open = call.firstIndex(of: "("), let first = call.first, first.isLetter || first == "_" else {
        return nil
      }
      return Call(name: String(call[..<open]), rest: String(call[open...]))
    }
  }

  var names: Set<String> { Set(calls.map(\.name)) }

  func named(_ names: String...) -> [Call] { calls.filter { names.contains($0.name) } }
}
