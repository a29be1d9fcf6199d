import ArgumentParser
import Foundation
import TestSupport
import Testing

@testable import portico

/// The help texts, which stand in the place of man pages.
@Suite struct HelpTests {
  /// What a program says of itself with `--experimental-dump-help`.
  private struct Tool: Decodable {
    var command: Command
  }

  private struct Command: Decodable {
    var superCommands: [String]?
    var commandName: String
    var abstract: String?
    var discussion: String?
    var subcommands: [Command]?
    var arguments: [Argument]?

    var path: [String] { (superCommands ?? []) + [commandName] }
    /// It and all below it, but for ArgumentParser's own `help`.
    var all: [Command] { [self] + (subcommands ?? []).filter { $0.commandName != "help" }.flatMap(\.all) }
  }

  private struct Argument: Decodable {
    var abstract: String?
    var valueName: String?
  }

  private static func run(_ program: String, _ arguments: String...) throws -> PorticoCommand.Result {
    let place = try PorticoCommand.executable().deletingLastPathComponent().appending(path: program)
    return try withTemporaryFolder { try PorticoCommand.run(arguments, in: $0, program: place) }
  }

  private static func commands(_ program: String) throws -> [Command] {
    let result = try run(program, "--experimental-dump-help")
    return try JSONDecoder().decode(Tool.self, from: result.output).command.all
  }

  /// Command lines below EXAMPLES; one that ends with a backslash goes on in the next line.
  private static func examples(_ discussion: String) -> [String] {
    guard let start = discussion.range(of: "EXAMPLES\n")?.upperBound else { return [] }
    let section = discussion[start...].replacingOccurrences(of: "\\\n", with: " ")
    return section.split(separator: "\n", omittingEmptySubsequences: false).prefix { $0.hasPrefix("  ") }
      .map { $0.trimmingCharacters(in: .whitespaces) }
  }

  @Test(
    "every command says what it does, with examples and exit codes, and every option what it is",
    arguments: ["portico", "porticod"])
  func whole(program: String) throws {
    let commands = try Self.commands(program)
    #expect(commands.count == (program == "portico" ? 33 : 1), "\(commands.map(\.path))")
    for command in commands {
      let name = command.path.joined(separator: " ")
      #expect(command.abstract?.hasSuffix(".") == true, "\(name)")
      let discussion = command.discussion ?? ""
      #expect(!Self.examples(discussion).isEmpty, "\(name) has no examples")
      // A group's exit codes are those of its commands.
      if command.subcommands == nil || command.path.count == 1 {
        #expect(discussion.contains("EXIT CODES\n  0"), "\(name)")
      }
      for argument in command.arguments ?? [] {
        #expect(argument.abstract?.hasSuffix(".") == true, "\(name): \(argument.valueName ?? "")")
      }
    }
  }

  @Test("no line of a help text is wider than a terminal of 80 columns", arguments: ["portico", "porticod"])
  func width(program: String) throws {
    for command in try Self.commands(program) {
      let place = try PorticoCommand.executable().deletingLastPathComponent().appending(path: program).path
      let line = ([place] + command.path.dropFirst() + ["--help"]).joined(separator: " ")
      let help = try PorticoCommand.run(
        ["-c", "COLUMNS=80 \(line)"], in: FileManager.default.temporaryDirectory,
        program: URL(fileURLWithPath: "/bin/sh"))
      #expect(help.code == 0 && help.text.contains("USAGE: \(program)"), "\(help)")
      for line in help.text.split(separator: "\n") { #expect(line.count <= 80, "\(command.path): \(line)") }
    }
  }

  @Test("every example is a command line that the command takes")
  func examples() throws {
    for command in try Self.commands("portico") {
      for line in Self.examples(command.discussion ?? "") {
        let own = line.components(separatedBy: " | ").first { $0.hasPrefix("portico ") }
        let words = try #require(own, "\(line)").split(separator: " ").map(String.init)
        // Those of a group, and of the whole, are of its commands.
        #expect(words.starts(with: command.path), "\(line)")
        #expect(throws: Never.self, "\(line)") { _ = try Portico.parseAsRoot(Array(words.dropFirst())) }
      }
    }
  }
}
