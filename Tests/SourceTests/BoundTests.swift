import Testing

/// Bounds on the size of what a reader must hold in the head at a time.
@Suite struct BoundTests {
  static let mostLines = 80
  static let mostParameters = 7

  @Test("no function of the sources is longer than 80 lines or has more than 7 parameters")
  func functions() throws {
    for source in try SwiftSource.all(below: "Sources") {
      for function in source.functions {
        #expect(
          function.lines <= Self.mostLines && function.parameters <= Self.mostParameters,
          "\(source.path):\(function.line): \(function.name): \(function.lines) lines, \(function.parameters) parameters"
        )
      }
    }
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
