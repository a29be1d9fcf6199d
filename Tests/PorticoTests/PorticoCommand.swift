import Foundation
import Testing

/// The built `portico`, run as a process.
enum PorticoCommand {
  struct Result {
    var code: Int32
    /// Whether a signal ended it.
    var isSignalled: Bool
    var output: Data
    var errors: String

    var text: String { String(decoding: output, as: UTF8.self) }
  }

  /// Where this package lies.
  static let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  /// Beside the test bundle, or where a build of this package leaves it.
  static func executable() throws -> URL {
    let bundle = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()
      .deletingLastPathComponent()
    let places = [bundle, package.appending(path: ".build/debug"), package.appending(path: ".build/release")]
      .map { $0.appending(path: "portico") }
    return try #require(
      places.first { FileManager.default.isExecutableFile(atPath: $0.path) },
      "portico is built: none of \(places.map(\.path))")
  }

  /// - Parameters:
  ///   - input: the file to be standard input; nothing by default.
  ///   - program: another `portico` than the built one.
  static func run(
    _ arguments: [String], in folder: URL, input: URL? = nil, program: URL? = nil
  ) throws -> Result {
    let output = folder.appending(path: "stdout-\(UUID().uuidString)")
    let errors = folder.appending(path: "stderr-\(UUID().uuidString)")
    for file in [output, errors] { try Data().write(to: file) }
    let process = Process()
    process.executableURL = try program ?? executable()
    process.arguments = arguments
    process.currentDirectoryURL = folder
    process.standardInput = try input.map { try FileHandle(forReadingFrom: $0) } ?? FileHandle.nullDevice
    process.standardOutput = try FileHandle(forWritingTo: output)
    process.standardError = try FileHandle(forWritingTo: errors)
    try process.run()
    process.waitUntilExit()
    return Result(
      code: process.terminationStatus, isSignalled: process.terminationReason == .uncaughtSignal,
      output: try Data(contentsOf: output),
      errors: String(decoding: try Data(contentsOf: errors), as: UTF8.self))
  }
}

/// A temporary folder with what a replay needs.
struct Desk: ~Copyable {
  let folder: URL

  init() throws {
    folder = FileManager.default.temporaryDirectory.appending(path: "portico-tests-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try put("portico.yaml", Desk.configuration)
    try put("inside.pcap", Bytes.capture(Desk.insidePackets))
    try put("outside.pcap", Bytes.capture(Desk.outsidePackets))
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  static let configuration = """
    interfaces:
      inside: { name: lan0, address: 192.168.1.1/24 }
      outside: { name: wan0, address: 203.0.113.5/24, gateway: 203.0.113.1 }
    nat:
      pool: [{ address: 203.0.113.5, ports: 50001-60000 }]
      port-choice: sequential
      parity: false

    """

  /// Three datagrams of three hosts, a millisecond apart.
  static let insidePackets = (0..<3).map {
    Bytes.Packet(
      microseconds: UInt64($0) * 1000,
      frame: Bytes.udp(from: [192, 168, 1, UInt8(2 + $0)], 5000, to: [198, 51, 100, 7], 9, isInside: true))
  }
  /// Their answers, half a millisecond later.
  static let outsidePackets = (0..<3).map {
    Bytes.Packet(
      microseconds: UInt64($0) * 1000 + 500,
      frame: Bytes.udp(
        from: [198, 51, 100, 7], 9, to: [203, 0, 113, 5], UInt16(50001 + $0), isInside: false))
  }

  func put(_ name: String, _ text: String) throws { try Data(text.utf8).write(to: file(name)) }

  func put(_ name: String, _ bytes: [UInt8]) throws { try Data(bytes).write(to: file(name)) }

  func file(_ name: String) -> URL { folder.appending(path: name) }

  func bytes(_ name: String) throws -> [UInt8] { Array(try Data(contentsOf: file(name))) }

  func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: file(name).path) }

  /// Runs `portico` in the folder.
  func portico(_ arguments: String..., input: String? = nil) throws -> PorticoCommand.Result {
    try PorticoCommand.run(arguments, in: folder, input: input.map { file($0) })
  }
}
