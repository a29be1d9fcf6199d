import Foundation
import TestSupport
import Testing

@Suite("portico replay and check")
struct ReplayCommandTests {
  private func expectSuccess(
    _ result: PorticoCommand.Result, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(result.code == 0 && !result.isSignalled, "\(result.errors)", sourceLocation: sourceLocation)
    #expect(
      result.errors.isEmpty, "no progress line where there is no terminal", sourceLocation: sourceLocation)
  }

  /// What the two captures of a desk become.
  private func reference(_ desk: borrowing Desk) throws -> (
    inside: [UInt8], outside: [UInt8], table: [UInt8], stats: [UInt8]
  ) {
    expectSuccess(
      try desk.portico(
        "replay", "--config", "portico.yaml", "--inside", "inside.pcap", "--outside", "outside.pcap",
        "--inside-out",
        "reference-inside.pcap", "--outside-out", "reference-outside.pcap", "--table", "reference-table.json",
        "--stats",
        "reference-stats.json"))
    return (
      try desk.bytes("reference-inside.pcap"), try desk.bytes("reference-outside.pcap"),
      try desk.bytes("reference-table.json"), try desk.bytes("reference-stats.json")
    )
  }

  @Test("both captures through the gateway, all four outputs, and nothing on standard output")
  func everything() throws {
    let desk = try Desk()
    let outputs = try reference(desk)
    #expect(Bytes.records(outputs.inside) == 3)
    #expect(Bytes.records(outputs.outside) == 3)
    // The first frame out: placeholder, the gateway's MAC, TTL 63, the public endpoint.
    let frame = Array(outputs.outside[40..<100])
    #expect(frame[0..<14] == [2, 0, 0, 0, 0, 2, 2, 0x50, 0, 0, 0, 2, 8, 0])
    #expect(frame[22] == 63 && frame[26..<30] == [203, 0, 113, 5] && frame[34..<36] == [0xC3, 0x51])
    let table = try JSONSerialization.jsonObject(with: Data(outputs.table)) as? [String: Any]
    #expect((table?["bindings"] as? [Any])?.count == 3)
    #expect(table?["next"] is NSNull)
    let stats = try JSONSerialization.jsonObject(with: Data(outputs.stats)) as? [String: Any]
    #expect(stats?["sessions"] as? Int == 3)
    #expect(outputs.table.last == UInt8(ascii: "\n") && outputs.stats.last == UInt8(ascii: "\n"))
    for document in [outputs.table, outputs.stats] {
      #expect(document.count { $0 == UInt8(ascii: "\n") } == 1, "one line, and one line feed")
    }
  }

  @Test("the same again gives the same bytes, another seed too where nothing is random")
  func again() throws {
    let desk = try Desk()
    let first = try reference(desk)
    let second = try reference(desk)
    #expect(first == second)
    expectSuccess(
      try desk.portico(
        "replay", "--config", "portico.yaml", "--inside", "inside.pcap", "--outside", "outside.pcap",
        "--inside-out",
        "i.pcap", "--outside-out", "o.pcap", "--table", "t.json", "--stats", "s.json", "--seed",
        "18446744073709551615"))
    #expect(try desk.bytes("i.pcap") == first.inside && desk.bytes("o.pcap") == first.outside)
    #expect(try desk.bytes("t.json") == first.table && desk.bytes("s.json") == first.stats)
  }

  @Test("`-` is standard input and standard output", arguments: ["inside", "outside"])
  func standardStreams(side: String) throws {
    let desk = try Desk()
    let expected = try reference(desk)
    let other = side == "inside" ? "outside" : "inside"
    let result = try desk.portico(
      "replay", "--config", "portico.yaml", "--\(side)", "-", "--\(other)", "\(other).pcap", "--outside-out",
      "-",
      "--inside-out", "i.pcap", input: "\(side).pcap")
    #expect(result.code == 0)
    #expect(Array(result.output) == expected.outside)
    #expect(try desk.bytes("i.pcap") == expected.inside)
    // Standard output is a capture, so the table for people is on standard error.
    #expect(result.errors.contains("PRIVATE IP"))
  }

  @Test("`-` for table and stats")
  func standardDocuments() throws {
    let desk = try Desk()
    let expected = try reference(desk)
    var result = try desk.portico(
      "replay", "--config", "portico.yaml", "--inside", "inside.pcap", "--outside", "outside.pcap", "--table",
      "-")
    #expect(Array(result.output) == expected.table)
    result = try desk.portico(
      "replay", "--config", "portico.yaml", "--inside", "inside.pcap", "--outside", "outside.pcap", "--stats",
      "-")
    #expect(Array(result.output) == expected.stats)
    result = try desk.portico(
      "replay", "--config", "portico.yaml", "--inside", "inside.pcap", "--outside", "outside.pcap", "--table",
      "-", "--stats", "-")
    #expect(Array(result.output) == expected.table + expected.stats)
  }

  @Test(
    "pcapng, microseconds and raw IP give what nanoseconds and Ethernet give",
    arguments: ["pcapng", "microseconds", "raw"])
  func formats(format: String) throws {
    let desk = try Desk()
    let expected = try reference(desk)
    for (name, packets) in [("i", Desk.insidePackets), ("o", Desk.outsidePackets)] {
      let capture =
        switch format {
        case "pcapng": Bytes.captureNextGeneration(packets)
        case "microseconds": Bytes.capture(packets, isNanoseconds: false)
        default:
          Bytes.capture(
            packets.map { Bytes.Packet(microseconds: $0.microseconds, frame: Array($0.frame[14...])) },
            link: 101)
        }
      try desk.put(name, capture)
    }
    expectSuccess(
      try desk.portico(
        "replay", "--config", "portico.yaml", "--inside", "i", "--outside", "o", "--inside-out", "i.pcap",
        "--outside-out", "o.pcap", "--table", "t.json"))
    #expect(try desk.bytes("t.json") == expected.table)
    if format == "raw" {
      // No MAC address was ever seen.
      #expect(Bytes.records(try desk.bytes("i.pcap")) == 3)
      #expect(try desk.bytes("i.pcap")[40..<46] == [2, 0, 0, 0, 0, 1])
    } else {
      #expect(try desk.bytes("i.pcap") == expected.inside)
      #expect(try desk.bytes("o.pcap") == expected.outside)
    }
  }

  @Test("a capture without records gives a capture without records")
  func nothing() throws {
    let desk = try Desk()
    try desk.put("none.pcap", Bytes.capture([]))
    expectSuccess(
      try desk.portico(
        "replay", "--config", "portico.yaml", "--inside", "none.pcap", "--inside-out", "i.pcap",
        "--outside-out", "o.pcap",
        "--table", "t.json", "--stats", "s.json"))
    #expect(try desk.bytes("i.pcap").count == 24 && desk.bytes("o.pcap").count == 24)
    #expect(String(decoding: try desk.bytes("t.json"), as: UTF8.self) == "{\"bindings\":[],\"next\":null}\n")
    #expect(
      String(decoding: try desk.bytes("s.json"), as: UTF8.self).hasPrefix(
        "{\"uptimeSeconds\":0,\"bindings\":0,"))
  }

  @Test("without --table and --stats people get the table and a summary")
  func forPeople() throws {
    let desk = try Desk()
    let result = try desk.portico(
      "replay", "--config", "portico.yaml", "--inside", "inside.pcap", "--outside", "outside.pcap")
    expectSuccess(result)
    let lines = result.text.split(separator: "\n").map { $0.split(separator: " ").joined(separator: " ") }
    #expect(
      lines.first
        == "PROTO PRIVATE IP PRIVATE PORT PUBLIC IP PUBLIC PORT DESTINATION STATE IDLE EXPIRES OUT IN")
    #expect(lines.count > 4)
    #expect(
      lines.dropFirst().first?.hasPrefix("udp 192.168.1.2 5000 203.0.113.5 50001 198.51.100.7:9 active ")
        == true)
    #expect(lines.dropFirst().first?.hasSuffix(" 1/46 1/46") == true)
    #expect(result.text.contains("3 bindings, 3 sessions"))
  }

  @Test("outputs replace what stood in their files")
  func replaced() throws {
    let desk = try Desk()
    let expected = try reference(desk)
    try desk.put("o.pcap", [UInt8](repeating: 7, count: 100_000))
    try desk.put("t.json", [UInt8](repeating: 7, count: 100_000))
    expectSuccess(
      try desk.portico(
        "replay", "--config", "portico.yaml", "--inside", "inside.pcap", "--outside", "outside.pcap",
        "--outside-out", "o.pcap",
        "--table", "t.json"))
    #expect(try desk.bytes("o.pcap") == expected.outside && desk.bytes("t.json") == expected.table)
  }

  @Test("check: a good configuration")
  func good() throws {
    let desk = try Desk()
    let result = try desk.portico("check", "portico.yaml")
    expectSuccess(result)
    #expect(result.text == "portico.yaml: good\n")
  }

  @Test("the example of the package is good")
  func example() throws {
    let desk = try Desk()
    let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    expectSuccess(try desk.portico("check", package.appending(path: "config/portico.yaml").path))
  }

  @Test(
    "help names every option and the exit codes",
    arguments: [["--help"], ["replay", "--help"], ["check", "--help"], ["help", "replay"]])
  func help(arguments: [String]) throws {
    let desk = try Desk()
    let result = try PorticoCommand.run(arguments, in: desk.folder)
    expectSuccess(result)
    #expect(result.text.contains("USAGE: portico"))
    if arguments.contains("replay") {
      for option in [
        "--config", "--inside", "--outside", "--inside-out", "--outside-out", "--table", "--stats", "--seed",
      ] {
        #expect(result.text.contains(option))
      }
    }
    if arguments == ["--help"] {
      for word in ["check", "replay", "64", "65", "66", "73", "78"] { #expect(result.text.contains(word)) }
    }
  }
}
