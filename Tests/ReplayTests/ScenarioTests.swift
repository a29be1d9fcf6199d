import TestSupport
import Testing

@Suite("Scenario folders")
struct ScenarioTests {
  @Test("the folders are found")
  func folders() {
    let names = Scenario.all.map(\.testDescription)
    #expect(names.count >= 4)
    for name in ["browser", "browser-offload", "reference-example", "tcp-close"] {
      #expect(names.contains(name))
    }
  }

  @Test("a replay makes of the inputs what is expected, byte for byte", arguments: Scenario.all)
  func scenario(_ scenario: Scenario) throws {
    for difference in try scenario.expectation().differences(from: scenario.run()) {
      Issue.record("\(scenario.testDescription): \(difference)")
    }
  }
}

@Suite("The scenario harness can fail")
struct HarnessTests {
  @Test("one byte of a packet", arguments: [true, false])
  func changedByte(isInside: Bool) throws {
    let scenario = try Scenario.named("reference-example")
    let outcome = try scenario.run()
    var expectation = try scenario.expectation()
    // The TTL of the fourth record.
    if isInside { expectation.inside[3].bytes[22] ^= 1 } else { expectation.outside[3].bytes[22] ^= 1 }
    let differences = try expectation.differences(from: outcome)
    #expect(differences.count == 1)
    let text = try #require(differences.first)
    #expect(text.hasPrefix(isInside ? "inside: record 4 differs" : "outside: record 4 differs"))
    #expect(text.contains("WRONG"), "the expected packet's header checksum no longer fits")
    let marks = text.split(separator: "\n").filter { $0.contains("[") }
    #expect(
      marks.count == 2 && marks.allSatisfy { $0.contains("  0010 ") }, "one byte in the second line of each")
  }

  @Test("every byte of an output counts", arguments: 0..<54)
  func anyByte(at offset: Int) throws {
    let expected = try Scenario.named("reference-example").expectation().outside
    var changed = expected
    changed[2].bytes[offset] &+= 1
    #expect(
      Comparison.records("outside", expected: changed, found: expected).first?.contains("record 3 differs")
        == true)
  }

  @Test("a stamp, a missing and an extra record")
  func stampsAndCounts() throws {
    let expected = try Scenario.named("reference-example").expectation().inside
    var later = expected
    later[1].nanoseconds += 1
    let text = try #require(Comparison.records("inside", expected: later, found: expected).first)
    #expect(text.contains("record 2 differs") && text.contains("stamps differ") && !text.contains("["))
    let missing = try #require(
      Comparison.records("inside", expected: expected, found: Array(expected.dropLast())).first)
    #expect(missing.contains("record \(expected.count) differs") && missing.contains("found: no record"))
    let extra = try #require(
      Comparison.records("inside", expected: Array(expected.dropLast()), found: expected).first)
    #expect(extra.contains("record \(expected.count) differs") && extra.contains("expected: no record"))
    #expect(Comparison.records("inside", expected: expected, found: expected).isEmpty)
  }

  @Test("a number of the table, and of the stats; an absent drop reason is zero")
  func documents() throws {
    let scenario = try Scenario.named("tcp-close")
    let outcome = try scenario.run()
    var expectation = try scenario.expectation()
    let table = expectation.table
    expectation.table = table.replacing("8.000000001", with: "8.000000002")
    #expect(
      try expectation.differences(from: outcome).first
        == "table: bindings[6].ageSeconds: expected 8.000000002, found 8.000000001")
    expectation.table = table
    let stats = expectation.stats
    expectation.stats = stats.replacing("\"filtered\": 4", with: "\"filtered\": 5")
    #expect(try expectation.differences(from: outcome) == ["stats: drops.filtered: expected 5, found 4"])
    expectation.stats = stats.replacing("\"filtered\": 4,", with: "")
    #expect(try expectation.differences(from: outcome) == ["stats: drops.filtered: expected 0, found 4"])
    expectation.stats = stats.replacing("\"filtered\": 4,", with: "\"filtered\": 4, \"ipv6\": 0,")
    #expect(try expectation.differences(from: outcome).isEmpty)
    expectation.stats = stats.replacing("\"hairpins\": 0,", with: "")
    #expect(
      try expectation.differences(from: outcome) == ["stats: events.hairpins: expected nothing, found 0"])
  }
}
