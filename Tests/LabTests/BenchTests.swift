import Foundation
import NATLab
import Testing

extension Lab {
  /// The commands that measure, for a moment each: that they come to an end, print what they say, and leave nothing.
  /// The figures of such a run mean nothing.
  @Suite struct BenchTests {
    private struct Line: Decodable {
      var bench: String
      var measure: String
      var contender: String?
      var median: Double?
      var quiet: Double?
      var dumping: Double?
      var dumps: Int?
      var whole: Bool?
    }

    private func run(_ arguments: String) throws -> [Line] {
      let stage = try DemoTests.Stage()
      let bench = try stage.start(arguments)
      let output = bench.readToEnd()
      #expect(bench.wait() == 0, "\(output)")
      #expect(try stage.leftovers() == [])
      return try output.split(separator: "\n").filter { $0.hasPrefix("{") }.map {
        try JSONDecoder().decode(Line.self, from: Data($0.utf8))
      }
    }

    @Test("bench control measures packets with and without dumps, each of which is whole")
    func control() throws {
      let lines = try run("bench control --sessions 2000 --rate 2000 --rounds 1 --seconds 2 --json")
      #expect(lines.allSatisfy { $0.bench == "control" })
      let packets = try #require(lines.first { $0.measure == "packets a second" })
      #expect(packets.quiet ?? 0 > 0 && packets.dumping ?? 0 > 0)
      let dumps = try #require(lines.first { $0.measure == "dump seconds" })
      #expect(dumps.whole == true && dumps.dumps ?? 0 > 0)
    }

    @Test("bench live measures Portico beside the kernel on the same cables")
    func live() throws {
      let lines = try run("bench live --rounds 1 --seconds 1 --flows 4 --json")
      for contender in ["portico", "kernel"] {
        let own = lines.filter { $0.contender == contender }
        #expect(own.count == 4 && own.allSatisfy { $0.median ?? 0 > 0 }, "\(contender): \(own)")
      }
    }
  }
}
