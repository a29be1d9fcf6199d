import Foundation
import NATConfiguration
import TestSupport
import Testing

/// Damaged configurations: whatever the text, there is an answer, and its places lie in the text.
@Suite struct MutationTests {
  @Test("random damage to the example is answered with places in the text")
  func randomDamage() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed \(seed)")
    var random = Generator(seed: seed)
    let example = try String(contentsOfFile: ExampleTests.file("config/portico.yaml"), encoding: .utf8)
    let lines = Array(example.unicodeScalars)
    let pieces = Array("{}[]:,-\"'#&*!|>%@` \n\t0179aé\u{1F600}\u{0}\u{2028}\u{E000}".unicodeScalars)
    for _ in 0..<300 {
      var scalars = lines
      for _ in 0...Int(random.next() % 4) {
        let index = Int(random.next() % UInt64(scalars.count))
        let length = min(Int(random.next() % 40), scalars.count - index)
        switch random.next() % 4 {
        case 0: scalars.remove(at: index)
        case 1: scalars[index] = pieces[Int(random.next() % UInt64(pieces.count))]
        case 2: scalars.insert(pieces[Int(random.next() % UInt64(pieces.count))], at: index)
        default: scalars.insert(contentsOf: scalars[index..<index + length], at: index)
        }
      }
      let text = String(String.UnicodeScalarView(scalars))
      do throws(ConfigurationErrors) {
        _ = try Configuration.parse(text, file: "portico.yaml")
      } catch {
        #expect(!error.problems.isEmpty, "seed \(seed)")
        // An end of line in the text may be any of YAML's five.
        let lineCount = scalars.count { "\n\r\u{85}\u{2028}\u{2029}".unicodeScalars.contains($0) } + 1
        for problem in error.problems {
          #expect((1...lineCount).contains(problem.line ?? 0), "seed \(seed): \(problem)")
          #expect((1...scalars.count + 1).contains(problem.column ?? 0), "seed \(seed): \(problem)")
          #expect(!problem.found.isEmpty && !problem.expected.isEmpty, "seed \(seed): \(problem)")
        }
      }
    }
  }

  @Test("deep nesting is refused and not followed")
  func deepNesting() {
    let text = interfaces + "nat: " + String(repeating: "[", count: 100_000)
    #expect(throws: ConfigurationErrors.self) { try Configuration.parse(text, file: "portico.yaml") }
    let closed =
      interfaces + "nat: " + String(repeating: "[", count: 900) + String(repeating: "]", count: 900)
    #expect(throws: ConfigurationErrors.self) { try Configuration.parse(closed, file: "portico.yaml") }
  }

  @Test("aliases that grow without bound are refused and not followed")
  func growingAliases() {
    let levels = (1..<40).map { "a\($0): &a\($0) [*a\($0 - 1), *a\($0 - 1)]" }.joined(separator: "\n")
    let text = interfaces + "a0: &a0 [x]\n\(levels)\n"
    #expect(throws: ConfigurationErrors.self) { try Configuration.parse(text, file: "portico.yaml") }
  }
}
