import Foundation
import Testing

/// The page RFCCompliance says what the tests show, and all of it.
@Suite("Compliance")
struct ComplianceTests {
  @Test("the page of compliance names every requirement and behaviour once, and its tests")
  func page() throws {
    let tests = try Compliance.tests()
    let page = try String(contentsOf: Compliance.page, encoding: .utf8)
    let problems = Compliance.problems(page: page, tests: tests)
    #expect(problems.isEmpty, "\(problems.joined(separator: "\n"))")
    let written = Compliance.written(page, tests: tests)
    if ProcessInfo.processInfo.environment["PORTICO_WRITE_PAGE"] != nil {
      try written.write(to: Compliance.page, atomically: true, encoding: .utf8)
    } else {
      let stale = written.split(separator: "\n").filter { !page.contains($0) }.map { $0.prefix(60) }
      #expect(
        page == written,
        "stale, write it with PORTICO_WRITE_PAGE=1 swift test --filter ComplianceTests:\n\(stale.joined(separator: "\n"))"
      )
    }
  }

  @Test("tests are found with suite, function and what their titles carry")
  func parsing() {
    // Not written out, so that nobody finds these tests here.
    let mark = "@Test"
    let source = """
      @Suite struct OneTests {
        struct Stage {}
        \(mark)("UT1 a session, RFC 4787 REQ-5, REQ-5a, RFC 7857 section 2.1, RFC 768", arguments: [1])
        func lifetime(number: Int) {}
        \(mark)("two")
        func another() {}
      }
      """
    let tests = Compliance.tests(in: source)
    #expect(tests.map(\.function) == ["OneTests/lifetime", "OneTests/another"])
    #expect(tests.map(\.title).last == "two")
    #expect(
      Compliance.requirements(in: tests[0].title) == [
        "RFC 4787", "RFC 4787 REQ-5", "RFC 4787 REQ-5a", "RFC 7857", "RFC 7857 section 2.1", "RFC 768",
      ])
  }

  @Test("the list has 260 behaviours, 178 of which a replay can show")
  func list() {
    #expect(Compliance.identifiers.count == 260 && Set(Compliance.identifiers).count == 260)
    #expect(Compliance.inScope.count == 178)
    #expect(Compliance.later.isSubset(of: Compliance.identifiers))
  }

  @Test("an identifier is not found in a longer one")
  func names() {
    #expect(Compliance.names("FR1", in: "FR1 three fragments"))
    #expect(Compliance.names("ST-1", in: "FW7 ST-1 CS9 over a 1:1 mapping"))
    #expect(Compliance.names("PA7", in: "PA7, PF4 the lowest"))
    #expect(Compliance.names("MAP11", in: "a port that ended is not open: MAP11 inbound packets"))
    #expect(!Compliance.names("FR1", in: "FR14 3/4 of a router"))
    #expect(!Compliance.names("ST-1", in: "ST-14 ten thousand statics"))
    #expect(!Compliance.names("TCP3", in: "TCP1-TCP3 a range"))
  }

  /// What is changed on the page or among the tests, and what must be said about it.
  private func expectProblem(
    _ problem: String, in original: (String, [Compliance.Test]),
    _ change: (inout String, inout [Compliance.Test]) -> Void,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    var (page, tests) = original
    change(&page, &tests)
    let problems = Compliance.problems(page: page, tests: tests)
    #expect(problems.contains(problem), "\(problems)", sourceLocation: sourceLocation)
  }

  @Test("drift is found: tests gone, a row lost, doubled or unknown, a claim without a test")
  func drift() throws {
    let original = (try String(contentsOf: Compliance.page, encoding: .utf8), try Compliance.tests())
    func without(_ identifier: String, _ tests: inout [Compliance.Test]) {
      tests.removeAll { Compliance.names(identifier, in: $0.title) }
    }
    expectProblem("UT5: met without a test", in: original) { _, tests in without("UT5", &tests) }
    expectProblem("no test names UT5", in: original) { _, tests in without("UT5", &tests) }
    func line(_ page: String, _ key: String) -> String {
      page.split(separator: "\n").first { $0.hasPrefix("| \(key) |") }.map { $0 + "\n" } ?? ""
    }
    expectProblem("RFC 4787: UDP: no row for REQ-9a", in: original) { page, _ in
      page = page.replacing(line(page, "REQ-9a"), with: "", maxReplacements: 1)
    }
    expectProblem("REQ-9a: there is no behaviour HP99", in: original) { page, _ in
      page = page.replacing("| HP1 HP9 |", with: "| HP99 |", maxReplacements: 1)
    }
    expectProblem("The list of behaviours: no row for LB3", in: original) { page, _ in
      page = page.replacing(line(page, "LB3"), with: "")
    }
    expectProblem("The list of behaviours: 2 rows for LB3", in: original) { page, _ in
      page += line(page, "LB3")
    }
    expectProblem("The list of behaviours: LB7 is unknown", in: original) { page, _ in
      page = page.replacing("| LB6 |", with: "| LB7 |")
    }
    expectProblem("LB3: met without a test", in: original) { page, _ in
      page = page.replacing("| LB3 | not met |", with: "| LB3 | met |")
    }
    expectProblem("LB3: nearly is no status", in: original) { page, _ in
      page = page.replacing("| LB3 | not met |", with: "| LB3 | nearly |")
    }
    expectProblem("LB3: not met, and not why", in: original) { page, _ in
      page = page.replacing(line(page, "LB3"), with: "| LB3 | not met | | |\n")
    }
  }
}
