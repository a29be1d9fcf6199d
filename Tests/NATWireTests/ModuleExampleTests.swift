import Foundation
import Testing

/// The examples on the opening pages of the modules are the code that tests compile.
@Suite struct ModuleExampleTests {
  private static let modules = ["NATWire", "NATCaptureFiles", "NATKernel", "NATLiveIO"]

  @Test("the example of a module's opening page stands in its test", arguments: modules)
  func example(module: String) throws {
    let package = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    func text(_ path: String) throws -> String {
      try String(contentsOf: package.appending(path: path), encoding: .utf8)
    }
    func withoutSpaces(_ text: some StringProtocol) -> String {
      String(text.filter { !$0.isWhitespace })
    }
    let page = try text("Sources/\(module)/\(module).swift").replacing("\n//", with: "\n")
    let parts = page.components(separatedBy: "```")
    try #require(parts.count == 3)
    let code = withoutSpaces(parts[1].dropFirst("swift".count))
    #expect(withoutSpaces(try text("Tests/\(module)Tests/\(module)Example.swift")).contains(code))
  }
}
