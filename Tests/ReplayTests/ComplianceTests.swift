import Testing

/// The page RFCCompliance says what is so, and all of it.
@Suite("Compliance")
struct ComplianceTests {
  @Test("the page of compliance names every requirement and behaviour once, and tests that are there")
  func page() throws {
    let problems = Compliance.problems(page: try Compliance.page(), tests: try Compliance.testNames())
    #expect(problems.isEmpty, "\(problems.joined(separator: "\n"))")
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
    _ problem: String, in original: (String, [String]), _ change: (inout String, inout [String]) -> Void,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    var (page, tests) = original
    change(&page, &tests)
    let problems = Compliance.problems(page: page, tests: tests)
    #expect(problems.contains(problem), "\(problems)", sourceLocation: sourceLocation)
  }

  @Test("drift is found: a test renamed, a line lost, doubled or unknown, a claim without a test")
  func drift() throws {
    let original = (try Compliance.page(), try Compliance.testNames())
    let name = "UT5 a binding lives as long as its last session, RFC 4787 REQ-1"
    expectProblem("UT5: there is no test `\(name)`", in: original) { page, tests in
      tests.removeAll { $0 == name }
    }
    expectProblem("no test names UT5", in: original) { page, tests in tests.removeAll { $0 == name } }
    expectProblem("UT5: `UT4 another` does not name it", in: original) { page, tests in
      page = page.replacing("`\(name)`", with: "`UT4 another`")
    }
    func line(_ page: String, _ key: String) -> String {
      page.split(separator: "\n").first { $0.hasPrefix("| \(key) |") }.map { $0 + "\n" } ?? ""
    }
    expectProblem("RFC 4787: UDP: no line for REQ-9a", in: original) { page, _ in
      page = page.replacing(line(page, "REQ-9a"), with: "", maxReplacements: 1)
    }
    expectProblem("The list of behaviours: no line for LB3", in: original) { page, _ in
      page = page.replacing(line(page, "LB3"), with: "")
    }
    expectProblem("The list of behaviours: 2 lines for LB3", in: original) { page, _ in
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
