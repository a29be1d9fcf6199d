import Foundation
import NATControl
import Testing

@Suite struct ReleaseTests {
  @Test("the changelog begins with the release that the programs say they are")
  func changelog() throws {
    let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let page = try String(
      contentsOf: package.appending(path: "Sources/portico/portico.docc/Changelog.md"), encoding: .utf8)
    let heading = try #require(page.split(separator: "\n").first { $0.hasPrefix("## ") })
    #expect(heading.dropFirst(3).prefix { $0 != "," && $0 != " " } == Release.version)
  }
}
