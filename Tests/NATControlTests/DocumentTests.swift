import Foundation
import NATControl
import Testing

@Suite("Documents as JSON")
struct DocumentTests {
  private func decode<Document: Decodable>(_ text: String, as type: Document.Type) throws -> Document {
    try JSONDecoder().decode(type, from: Data(text.utf8))
  }

  @Test("SH3 the documented table, byte for byte, and back")
  func table() throws {
    #expect(Examples.table.json == Examples.tableJSON)
    #expect(try decode(Examples.tableJSON, as: TableDocument.self) == Examples.table)
  }

  @Test("SH8 the documented stats, byte for byte, and back, with the drops in the order of their names")
  func stats() throws {
    #expect(Examples.stats.json == Examples.statsJSON)
    var expected = Examples.stats
    expected.drops = ["filtered": 0, "noBinding": 1]
    #expect(try decode(Examples.statsJSON, as: StatsDocument.self) == expected)
  }

  @Test("Foundation's encoder writes the same values, whatever its order, and null for no next page")
  func codable() throws {
    let table = try JSONEncoder().encode(Examples.table)
    #expect(try JSONDecoder().decode(TableDocument.self, from: table) == Examples.table)
    #expect(String(decoding: table, as: UTF8.self).contains(#""next":null"#))
    let object = try #require(try JSONSerialization.jsonObject(with: table) as? NSDictionary)
    let ours = try JSONSerialization.jsonObject(with: Data(Examples.tableJSON.utf8)) as? NSDictionary
    #expect(object == ours)

    let stats = try #require(
      try JSONSerialization.jsonObject(with: JSONEncoder().encode(Examples.stats)) as? NSDictionary)
    let ourStats = try JSONSerialization.jsonObject(with: Data(Examples.statsJSON.utf8)) as? NSDictionary
    #expect(stats == ourStats)
  }

  @Test("no binding, no session, several of each, a next page whose cursor needs escapes")
  func shapes() throws {
    #expect(TableDocument(bindings: []).json == "{\"bindings\":[],\"next\":null}\n")
    let empty = BindingDocument(
      transport: .udp, kind: .static, privateEndpoint: EndpointDocument(address: "192.168.1.10", port: 80),
      publicEndpoint: EndpointDocument(address: "203.0.113.5", port: 8080), age: Seconds(nanoseconds: 0))
    var full = Examples.table.bindings[0]
    full.sessions += full.sessions
    full.sessions[1].state = .halfClosed
    full.sessions[1].hairpin = true
    let table = TableDocument(bindings: [empty, full, empty, full], next: "a\"b\\c\n\u{1}é/")
    #expect(try decode(table.json, as: TableDocument.self) == table)
    #expect(table.json.contains(#""kind":"static""#))
    #expect(table.json.contains(#""ageSeconds":0,"sessions":[]}"#))
    #expect(table.json.hasSuffix("\"next\":\"a\\\"b\\\\c\\u000a\\u0001é/\"}\n"))
  }

  @Test("every name of the interface")
  func names() {
    #expect(TransportName.allCases.map(\.rawValue) == ["icmp", "tcp", "udp"])
    #expect(BindingDocument.Kind.allCases.map(\.rawValue) == ["dynamic", "static"])
    #expect(
      SessionDocument.State.allCases.map(\.rawValue)
        == ["syn-sent", "established", "half-closed", "closed", "reset", "active"])
  }

  @Test("a long table goes out in pieces of bounded size, whichever way it is appended")
  func pieces() throws {
    var binding = Examples.table.bindings[0]
    let session = binding.sessions[0]
    var table = TableDocument(bindings: [])
    var stream = TableJSON()
    var streamed: [UInt8] = []
    var largest = 0
    for index in 0..<50 {
      binding.privateEndpoint.port = UInt16(index)
      binding.sessions = []
      table.bindings.append(binding)
      stream.append([binding])
      #expect(stream.nextPiece() == nil)
      // The binding continues on 100 pages.
      binding.sessions = [session]
      for _ in 0..<100 {
        table.bindings[index].sessions.append(session)
        stream.append([binding])
        guard let piece = stream.nextPiece() else { continue }
        #expect(stream.nextPiece() == nil)
        largest = max(largest, piece.count)
        streamed += piece
      }
    }
    streamed += stream.finish(next: nil)
    #expect(largest > 0)
    #expect(largest < 70_000)

    var written: [UInt8] = []
    table.write { piece in
      largest = max(largest, piece.count)
      written += piece
    }
    #expect(largest < 70_000)
    #expect(streamed == written)
    #expect(try decode(String(decoding: written, as: UTF8.self), as: TableDocument.self) == table)
  }

  @Test("a sink that fails stops the writing")
  func failingSink() {
    struct Full: Error {}
    #expect(throws: Full.self) { try Examples.table.write { (_: [UInt8]) throws(Full) in throw Full() } }
  }

  @Test("a counter by its name")
  func counter() {
    #expect(Examples.stats.drops["noBinding"] == 1)
    #expect(Examples.stats.drops["unheardOf"] == 0)
  }
}
