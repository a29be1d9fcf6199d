import Foundation
import TestSupport
import Testing

/// Every way in which the command ends without having done what was asked: message and exit code (sysexits.h).
@Suite("portico: refusals")
struct RefusalTests {
  private func expect(
    _ result: PorticoCommand.Result, _ code: Int32, _ words: String...,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(!result.isSignalled && result.code == code, "\(result.errors)", sourceLocation: sourceLocation)
    for word in words {
      #expect(
        result.errors.contains(word), "\"\(word)\" in: \(result.errors)", sourceLocation: sourceLocation)
    }
  }

  // MARK: Usage, 64

  @Test("no capture is given: 64")
  func noCapture() throws {
    let desk = try Desk()
    expect(try desk.portico("replay", "--config", "portico.yaml"), 64, "--inside", "--outside")
  }

  @Test(
    "no configuration, an unknown option, an unknown command, a bad number: 64",
    arguments: [
      ["replay", "--inside", "inside.pcap"],
      ["replay", "--config", "portico.yaml", "--insid", "inside.pcap"],
      ["no-such-command"], ["replay", "--config", "portico.yaml", "--inside", "inside.pcap", "--seed", "-1"],
      ["replay", "--config", "portico.yaml", "--inside", "inside.pcap", "--seed", "x"], ["check"],
    ])
  func usage(arguments: [String]) throws {
    let desk = try Desk()
    expect(try PorticoCommand.run(arguments, in: desk.folder), 64, "Usage")
  }

  @Test("both captures from standard input: 64")
  func twoInputs() throws {
    let desk = try Desk()
    expect(
      try desk.portico(
        "replay", "--config", "portico.yaml", "--inside", "-", "--outside", "-", input: "inside.pcap"),
      64, "standard input")
  }

  @Test(
    "two outputs to one place: 64",
    arguments: [
      ["--inside-out", "x", "--outside-out", "x"], ["--table", "x", "--stats", "x"],
      ["--inside-out", "-", "--outside-out", "-"],
      ["--inside-out", "-", "--table", "-"], ["--outside-out", "x", "--stats", "./x"],
      ["--outside-out", "x", "--stats", "sub/../x"],
    ])
  func twoOutputs(outputs: [String]) throws {
    let desk = try Desk()
    try FileManager.default.createDirectory(at: desk.file("sub"), withIntermediateDirectories: true)
    let arguments = ["replay", "--config", "portico.yaml", "--inside", "inside.pcap"] + outputs
    expect(try PorticoCommand.run(arguments, in: desk.folder), 64)
  }

  @Test("two outputs that are one file by a link: 64")
  func linkedOutputs() throws {
    let desk = try Desk()
    try desk.put("x", "")
    try FileManager.default.createSymbolicLink(at: desk.file("y"), withDestinationURL: desk.file("x"))
    expect(
      try desk.portico(
        "replay", "--config", "portico.yaml", "--inside", "inside.pcap", "--outside-out", "x", "--inside-out",
        "y"), 64)
  }

  @Test(
    "an output that is an input: 64, and the input is untouched",
    arguments: [
      "--inside-out", "--outside-out", "--table", "--stats",
    ], ["inside.pcap", "outside.pcap", "portico.yaml", "./inside.pcap", "link.pcap", "hard.pcap"])
  func overwriting(option: String, name: String) throws {
    let desk = try Desk()
    try FileManager.default.createSymbolicLink(
      at: desk.file("link.pcap"), withDestinationURL: desk.file("inside.pcap"))
    try FileManager.default.linkItem(at: desk.file("inside.pcap"), to: desk.file("hard.pcap"))
    let before = try desk.bytes(name)
    expect(
      try desk.portico(
        "replay", "--config", "portico.yaml", "--inside", "inside.pcap", "--outside", "outside.pcap", option,
        name),
      64, "is an input")
    #expect(try desk.bytes(name) == before)
    #expect(!before.isEmpty)
  }

  // MARK: No such input, 66

  @Test(
    "a configuration that is not there, or a folder: 66",
    arguments: ["missing.yaml", ".", "missing/portico.yaml"])
  func missingConfiguration(name: String) throws {
    let desk = try Desk()
    expect(try desk.portico("replay", "--config", name, "--inside", "inside.pcap"), 66, name)
    expect(try desk.portico("check", name), 66, name)
  }

  @Test(
    "a capture that is not there, or a folder: 66", arguments: ["missing.pcap", ".", "missing/inside.pcap"],
    ["--inside", "--outside"])
  func missingCapture(name: String, side: String) throws {
    let desk = try Desk()
    expect(try desk.portico("replay", "--config", "portico.yaml", side, name), 66, name, "expected")
  }

  @Test("a missing capture leaves no output behind")
  func nothingMade() throws {
    let desk = try Desk()
    expect(
      try desk.portico(
        "replay", "--config", "portico.yaml", "--inside", "inside.pcap", "--outside", "missing.pcap",
        "--outside-out",
        "out.pcap", "--table", "table.json"), 66)
    #expect(!desk.exists("out.pcap") && !desk.exists("table.json"))
  }

  // MARK: Bad configuration, 78

  @Test("check says of a good configuration what of it is not done")
  func workers() throws {
    let desk = try Desk()
    try desk.put("workers.yaml", Desk.configuration + "workers: 4\n")
    let result = try desk.portico("check", "workers.yaml")
    #expect(result.code == 0 && result.text.contains("warning: workers: found 4; expected 1"), "\(result)")
    #expect(try !desk.portico("check", "portico.yaml").text.contains("workers"))
  }

  @Test("a bad configuration: 78, every problem with file, line and column", arguments: ["replay", "check"])
  func badConfiguration(command: String) throws {
    let desk = try Desk()
    try desk.put("bad.yaml", Desk.configuration + "  port-choise: random\n  filtering: none\n")
    let arguments =
      command == "check"
      ? ["check", "bad.yaml"] : ["replay", "--config", "bad.yaml", "--inside", "inside.pcap"]
    let result = try PorticoCommand.run(arguments, in: desk.folder)
    expect(result, 78, "bad.yaml:8:3", "port-choise", "bad.yaml:9:14", "filtering")
    #expect(result.output.isEmpty)
  }

  @Test(
    "no YAML, an empty file, no interfaces: 78", arguments: ["{", "", "nat: {}\n", "\u{0}\u{1}", "- 1\n"])
  func noConfiguration(text: String) throws {
    let desk = try Desk()
    try desk.put("bad.yaml", text)
    expect(try desk.portico("check", "bad.yaml"), 78, "bad.yaml")
  }

  // MARK: Bad data, 65

  @Test("not a capture: 65")
  func noCaptureFile() throws {
    let desk = try Desk()
    expect(
      try desk.portico("replay", "--config", "portico.yaml", "--inside", "portico.yaml"), 65, "portico.yaml",
      "pcap")
  }

  @Test("an empty file: 65")
  func empty() throws {
    let desk = try Desk()
    try desk.put("empty.pcap", [UInt8]())
    expect(
      try desk.portico("replay", "--config", "portico.yaml", "--inside", "empty.pcap"), 65, "empty.pcap",
      "empty file")
  }

  @Test("a header cut off: 65", arguments: [1, 4, 12, 23])
  func cutHeader(length: Int) throws {
    let desk = try Desk()
    try desk.put("cut.pcap", Array(try desk.bytes("inside.pcap").prefix(length)))
    expect(
      try desk.portico("replay", "--config", "portico.yaml", "--inside", "cut.pcap"), 65, "cut.pcap",
      "offset 0")
  }

  @Test("a link type that is neither Ethernet nor raw IP: 65")
  func linkType() throws {
    let desk = try Desk()
    try desk.put("null.pcap", Bytes.capture(Desk.insidePackets, link: 0))
    expect(
      try desk.portico("replay", "--config", "portico.yaml", "--inside", "null.pcap"), 65, "null.pcap",
      "NULL", "Ethernet")
  }

  /// Each record is 16 + 60 bytes; the third begins at byte 176.
  @Test(
    "cut in a record's header or body: 65, the offset is named, the output holds what came before",
    arguments: [177, 184, 191, 192, 193, 251])
  func truncated(length: Int) throws {
    let desk = try Desk()
    try desk.put("cut.pcap", Array(try desk.bytes("inside.pcap").prefix(length)))
    let result = try desk.portico(
      "replay", "--config", "portico.yaml", "--inside", "cut.pcap", "--outside", "outside.pcap",
      "--outside-out", "out.pcap",
      "--inside-out", "in.pcap", "--stats", "stats.json", "--table", "table.json")
    expect(result, 65, "cut.pcap", "offset 176", "2 records")
    #expect(Bytes.records(try desk.bytes("out.pcap")) == 2)
    // The other capture is read to its end; the third answer has no binding.
    #expect(Bytes.records(try desk.bytes("in.pcap")) == 2)
    let stats = String(decoding: try desk.bytes("stats.json"), as: UTF8.self)
    #expect(stats.contains(#""bindings":2,"sessions":2"#) && stats.contains(#""noBinding":1"#))
    #expect(!(try desk.bytes("table.json")).isEmpty)
  }

  @Test("cut between two records is a whole capture: 0")
  func cutBetween() throws {
    let desk = try Desk()
    try desk.put("cut.pcap", Array(try desk.bytes("inside.pcap").prefix(176)))
    expect(
      try desk.portico(
        "replay", "--config", "portico.yaml", "--inside", "cut.pcap", "--outside-out", "out.pcap"), 0)
    #expect(Bytes.records(try desk.bytes("out.pcap")) == 2)
  }

  @Test("a damaged record: 65, the offset is named, the output holds what came before")
  func damaged() throws {
    let desk = try Desk()
    var bytes = try desk.bytes("inside.pcap")
    for index in 184..<192 { bytes[index] = 0xFF }  // both lengths of the third record
    try desk.put("damaged.pcap", bytes)
    let result = try desk.portico(
      "replay", "--config", "portico.yaml", "--inside", "damaged.pcap", "--outside-out", "out.pcap")
    expect(result, 65, "damaged.pcap", "offset 176", "damaged")
    #expect(Bytes.records(try desk.bytes("out.pcap")) == 2)
    #expect(result.text.contains("192.168.1.3"), "the table is printed all the same")
  }

  @Test("both captures damaged: both are named")
  func bothDamaged() throws {
    let desk = try Desk()
    try desk.put("a.pcap", Array(try desk.bytes("inside.pcap").dropLast()))
    try desk.put("b.pcap", Array(try desk.bytes("outside.pcap").dropLast()))
    expect(
      try desk.portico("replay", "--config", "portico.yaml", "--inside", "a.pcap", "--outside", "b.pcap"), 65,
      "a.pcap", "b.pcap")
  }

  @Test("a pcapng file cut off: 65")
  func cutNextGeneration() throws {
    let desk = try Desk()
    try desk.put("cut.pcapng", Array(Bytes.captureNextGeneration(Desk.insidePackets).dropLast(5)))
    expect(
      try desk.portico(
        "replay", "--config", "portico.yaml", "--inside", "cut.pcapng", "--outside-out", "out.pcap"), 65,
      "cut.pcapng", "offset")
    #expect(Bytes.records(try desk.bytes("out.pcap")) == 2)
  }

  // MARK: Cannot write, 73

  @Test("a full disk: 73", arguments: ["--inside-out", "--outside-out", "--table", "--stats"])
  func fullDisk(option: String) throws {
    let desk = try Desk()
    expect(
      try desk.portico("replay", "--config", "portico.yaml", "--inside", "inside.pcap", option, "/dev/full"),
      73, "/dev/full",
      "No space left")
  }

  @Test("standard output on a full disk: 73")
  func fullStandardOutput() throws {
    let desk = try Desk()
    let process = Process()
    process.executableURL = try PorticoCommand.executable()
    process.arguments = ["replay", "--config", "portico.yaml", "--inside", "inside.pcap"]
    process.currentDirectoryURL = desk.folder
    process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: "/dev/full"))
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    #expect(process.terminationReason == .exit && process.terminationStatus == 73)
  }

  @Test(
    "an output in a folder that is not there, or that is a folder: 73",
    arguments: ["--inside-out", "--outside-out", "--table", "--stats"], ["missing/x", "."])
  func missingFolder(option: String, path: String) throws {
    let desk = try Desk()
    expect(
      try desk.portico("replay", "--config", "portico.yaml", "--inside", "inside.pcap", option, path), 73,
      "\(path): cannot create")
  }
}
