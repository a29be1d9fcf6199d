import Testing

/// Bounds on the size of what a reader must hold in the head at a time.
@Suite struct BoundTests {
  static let mostLines = 80
  static let mostParameters = 7

  /// Functions that are larger than they may be: `file name`. The list must shrink; add nothing.
  static let exceptions: Set<String> = [
    "EventDocument.swift init", "HostsDocument.swift init", "RestoredDocument.swift init",
    "StatsDocument.swift init", "TableDocument.swift init",
  ]

  @Test("no function of the sources is longer than 80 lines or has more than 7 parameters")
  func functions() throws {
    var unused = Self.exceptions
    for source in try SwiftSource.all(below: "Sources") {
      let file = source.path.split(separator: "/").last ?? ""
      for function in source.functions
      where function.lines > Self.mostLines || function.parameters > Self.mostParameters {
        unused.remove("\(file) \(function.name)")
        #expect(
          Self.exceptions.contains("\(file) \(function.name)"),
          "\(source.path):\(function.line): \(function.name): \(function.lines) lines, \(function.parameters) parameters"
        )
      }
    }
    #expect(unused.isEmpty, "exceptions that nothing needs any more")
  }

  @Test("functions are measured behind comments, texts, generics and protocols")
  func measuring() {
    let source = SwiftSource(
      path: "x",
      text: """
        protocol P { func required(a: Int, b: Int); init() }
        /* func no() {} */ // func no() {}
        struct S<T> {
          let text = "func no(a: Int) { \\(f("}")) }"
          func one<T: P>(_ a: [Int: Int] = [:], b: (c: Int, d: Int) -> Void) async throws -> T where T: P {
            if true { }
          }
          init?(a: Int, b: Int, c: Int) { self.init() }
          static func == (a: S, b: S) -> Bool { true }
        }
        """)
    #expect(
      source.functions == [
        SwiftSource.Function(name: "one", line: 5, lines: 3, parameters: 2),
        SwiftSource.Function(name: "init", line: 8, lines: 1, parameters: 3),
        SwiftSource.Function(name: "==", line: 9, lines: 1, parameters: 2),
      ])
  }
}
