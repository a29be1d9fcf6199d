import Foundation
import Glibc
import TestSupport
import Testing

/// How long the floods are, and which build stands in them.
///
/// Every `swift test` runs them short, against the build at hand. `PORTICO_STRESS=full` runs them at full length against
/// the release build, which must be there: `swift build -c release --static-swift-stdlib --product portico`.
enum Stress {
  static let isFull = ProcessInfo.processInfo.environment["PORTICO_STRESS"] == "full"

  static func count(_ short: Int, full: Int) -> Int { isFull ? full : short }

  /// Processor time that a packet may take: about ten times what is measured. A linear search through the table, the
  /// pool or the statics takes many times as much.
  static let microsecondsPerPacket = isFull ? 10.0 : 200.0

  static func executable() throws -> URL {
    guard isFull else { return try PorticoCommand.executable() }
    let built = PorticoCommand.package.appending(path: ".build/release/portico")
    return try #require(
      FileManager.default.isExecutableFile(atPath: built.path) ? built : nil, "there is a release build")
  }
}

/// A replay that is fed frame by frame on one side, and watched while it runs. Between the frames of the flood two others
/// talk: everything they say must arrive, byte for byte and in time.
final class Flood {
  enum Side { case inside, outside }

  private let desk: Desk
  private let process = Process()
  private let pipe = Pipe()
  private let side: Side
  /// Nanoseconds since the start.
  private(set) var clock: UInt64 = 1_000_000_000
  private var block: [UInt8] = []
  private(set) var sent = 0
  /// What the bystanders must have got: stamp and frame.
  private var expected: [Side: [Heard]] = [.inside: [], .outside: []]
  private var said = 0

  struct Heard: Equatable {
    var nanoseconds: UInt64
    var frame: [UInt8]
  }

  /// Where the other side's part of the bystanders' talk stands beforehand.
  private static let talks = 1000

  /// - Parameters:
  ///   - nat: lines below `nat`, and what follows it.
  ///   - side: where the flood comes from.
  ///   - pause: nanoseconds between two talks of the bystanders: the time of the flood in a thousand parts.
  init(_ side: Side, nat: [String], pause: UInt64) throws {
    // A command that ends too early must fail its test, not end it.
    _ = signal(SIGPIPE, SIG_IGN)
    self.side = side
    self.pause = pause
    desk = try Desk()
    try desk.put(
      "flood.yaml",
      ([
        "interfaces:", "  inside: { name: lan0, address: 192.168.1.1/24 }",
        "  outside: { name: wan0, address: 203.0.113.5/24, gateway: 203.0.113.1 }", "nat:",
      ] + nat).joined(separator: "\n") + "\n")
    let other = Flood.opposite(of: side)
    try desk.put(
      "other.pcap",
      Frames.header
        + Frames.record(clock - 1, Bystanders.introduction(on: other))
        + (0..<Flood.talks).flatMap { talk -> [UInt8] in
          let time = Flood.time(of: talk, pause: pause)
          return other == .outside
            ? Frames.record(time + 1, Bystanders.answer(talk))
            : Frames.record(time, Bystanders.question(talk))
        })
    process.executableURL = try Stress.executable()
    let (stream, file) = side == .inside ? ("--inside", "--outside") : ("--outside", "--inside")
    process.arguments = [
      "replay", "--config", "flood.yaml", stream, "-", file, "other.pcap", "--inside-out", "inside.pcap",
      "--outside-out", "outside.pcap", "--table", "table.json", "--stats", "stats.json",
    ]
    process.currentDirectoryURL = desk.folder
    process.standardInput = pipe
    process.standardError = FileHandle.nullDevice
    try process.run()
    block = Frames.header + Frames.record(clock - 1, Bystanders.introduction(on: side))
    talk()
    // More than the pipe and the reader hold back, so that the command is at work when the flood begins.
    let nothing = [UInt8](repeating: 0xFF, count: 1000)
    for _ in 0..<Flood.warmUp { Frames.append(clock, nothing, to: &block) }
  }

  /// Frames of unknown type, which are dropped first of all.
  static let warmUp = 1000

  deinit { if process.isRunning { process.terminate() } }

  private let pause: UInt64

  private static func opposite(of side: Side) -> Side { side == .inside ? .outside : .inside }

  private static func time(of talk: Int, pause: UInt64) -> UInt64 { 1_000_000_000 + UInt64(talk) * pause }

  /// One question from inside, one answer from outside; whoever sits on the flood's side says it in the stream.
  private func talk() {
    let time = Flood.time(of: said, pause: pause)
    block +=
      side == .inside
      ? Frames.record(time, Bystanders.question(said)) : Frames.record(time + 1, Bystanders.answer(said))
    expected[.outside]!.append(Heard(nanoseconds: time, frame: Bystanders.questionOutside(said)))
    expected[.inside]!.append(Heard(nanoseconds: time + 1, frame: Bystanders.answerInside(said)))
    said += 1
  }

  /// Sends one frame of the flood, `gap` nanoseconds after the last one.
  func send(_ frame: [UInt8], after gap: UInt64) throws {
    clock += gap
    while said < Flood.talks, Flood.time(of: said, pause: pause) + 1 < clock { talk() }
    Frames.append(clock, frame, to: &block)
    sent += 1
    if block.count > 1 << 18 { try flush() }
  }

  private func flush() throws {
    try pipe.fileHandleForWriting.write(contentsOf: Data(block))
    block.removeAll(keepingCapacity: true)
  }

  // MARK: Watching

  /// What the process has used so far. What waits in the pipe, less than 64 KiB, is not in it.
  struct Use {
    /// The highest resident size ever, in KiB.
    var peak: Int
    /// Processor time in seconds.
    var processor: Double
  }

  func use() throws -> Use {
    try flush()
    let status = try String(contentsOfFile: "/proc/\(process.processIdentifier)/status", encoding: .utf8)
    let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") })
    let peak = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap { Int($0) }
    // Behind the name, which stands in brackets: state is the first field, utime and stime are the 12th and 13th.
    let stat = try String(contentsOfFile: "/proc/\(process.processIdentifier)/stat", encoding: .utf8)
    let fields = stat[(stat.lastIndex(of: ")") ?? stat.startIndex)...].split(separator: " ")
    let ticks = try #require(Int(fields[12])) + #require(Int(fields[13]))
    return Use(peak: try #require(peak), processor: Double(ticks) / Double(sysconf(Int32(_SC_CLK_TCK))))
  }

  /// What came of it.
  struct Outcome {
    var stats: [String: Any]

    func drops(_ name: String) -> Int { (stats["drops"] as? [String: Any])?[name] as? Int ?? -1 }

    func events(_ name: String) -> Int { (stats["events"] as? [String: Any])?[name] as? Int ?? -1 }

    func number(_ name: String) -> Int { stats[name] as? Int ?? -1 }
  }

  /// Ends the flood, and checks that the bystanders got all they were told, and nothing else.
  func finish(sourceLocation: SourceLocation = #_sourceLocation) throws -> Outcome {
    #expect(
      said == Flood.talks, "the flood is as long as the bystanders' talk", sourceLocation: sourceLocation)
    try flush()
    try pipe.fileHandleForWriting.close()
    process.waitUntilExit()
    #expect(
      process.terminationReason == .exit && process.terminationStatus == 0, sourceLocation: sourceLocation)
    for (side, name) in [(Side.inside, "inside.pcap"), (.outside, "outside.pcap")] {
      let heard = Frames.records(try desk.bytes(name), ofPort: Bystanders.port, isOutside: side == .outside)
      let wanted = expected[side]!
      for (index, (heard, wanted)) in zip(heard, wanted).enumerated() where heard != wanted {
        Issue.record(
          "\(side), frame \(index) of the bystanders: \(heard), expected \(wanted)",
          sourceLocation: sourceLocation)
        break
      }
      #expect(heard.count == wanted.count, "of the bystanders \(side)", sourceLocation: sourceLocation)
    }
    let stats = try JSONSerialization.jsonObject(with: Data(try desk.bytes("stats.json"))) as? [String: Any]
    return Outcome(stats: try #require(stats))
  }
}

/// An inside host and a server, who have nothing to do with the flood.
enum Bystanders {
  static let port: UInt16 = 5000
  private static let host: [UInt8] = [192, 168, 1, 200]
  private static let server: [UInt8] = [198, 51, 100, 200]
  private static let hostMAC: [UInt8] = [0x52, 0x54, 0, 0, 0, 200]
  private static let router: [UInt8] = [0x52, 0x54, 0, 0, 0, 1]

  /// A gratuitous ARP reply: whose MAC address frames that leave are to have.
  static func introduction(on side: Flood.Side) -> [UInt8] {
    let (mac, address) = side == .inside ? (hostMAC, host) : (router, [203, 0, 113, 1])
    return EthernetFrame.bytes(
      to: EthernetFrame.broadcast, from: mac, type: EthernetFrame.typeARP,
      EthernetFrame.arp(2, from: (mac, address), to: (EthernetFrame.broadcast, address)))
  }

  private static func data(_ talk: Int) -> [UInt8] {
    (0..<(8 + talk % 200)).map { UInt8(truncatingIfNeeded: talk &* 31 &+ $0) }
  }

  static func question(_ talk: Int) -> [UInt8] {
    Frames.udp(
      EthernetFrame.gatewayInside, hostMAC, from: (host, port), to: (server, 9), timeToLive: 64,
      data: data(talk))
  }

  static func questionOutside(_ talk: Int) -> [UInt8] {
    Frames.udp(
      router, EthernetFrame.gatewayOutside, from: (Frames.publicAddress, port), to: (server, 9),
      timeToLive: 63,
      data: data(talk))
  }

  static func answer(_ talk: Int) -> [UInt8] {
    Frames.udp(
      EthernetFrame.gatewayOutside, router, from: (server, 9), to: (Frames.publicAddress, port),
      timeToLive: 64,
      data: data(talk + 7))
  }

  static func answerInside(_ talk: Int) -> [UInt8] {
    Frames.udp(
      hostMAC, EthernetFrame.gatewayInside, from: (server, 9), to: (host, port), timeToLive: 63,
      data: data(talk + 7)
    )
  }
}

/// Frames and records of floods.
enum Frames {
  static let publicAddress: [UInt8] = [203, 0, 113, 5]
  /// Of floods: the senders' MAC address.
  static let stranger: [UInt8] = [0x52, 0x54, 0, 0, 0, 9]
  static let router: [UInt8] = [0x52, 0x54, 0, 0, 0, 1]

  /// Of a pcap file of nanoseconds and Ethernet.
  static let header = Bytes.capture([])

  static func record(_ nanoseconds: UInt64, _ frame: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = []
    append(nanoseconds, frame, to: &bytes)
    return bytes
  }

  static func append(_ nanoseconds: UInt64, _ frame: [UInt8], to bytes: inout [UInt8]) {
    var file = CaptureBytes()
    file.record(
      UInt32(Bytes.start + nanoseconds / 1_000_000_000), UInt32(nanoseconds % 1_000_000_000), frame)
    bytes += file.bytes
  }

  /// The records whose UDP port, of the source outside and of the destination inside, is that one.
  static func records(_ capture: [UInt8], ofPort port: UInt16, isOutside: Bool) -> [Flood.Heard] {
    let field = isOutside ? 34 : 36
    return ((try? Capture.records(capture, name: "capture")) ?? []).compactMap { record in
      let frame = record.bytes
      guard frame.count > 38, frame[23] == 17, word(frame, field) == port else { return nil }
      return Flood.Heard(nanoseconds: record.nanoseconds - Bytes.start * 1_000_000_000, frame: frame)
    }
  }

  /// A UDP datagram with every checksum.
  static func udp(
    _ destinationMAC: [UInt8], _ sourceMAC: [UInt8], from: (address: [UInt8], port: UInt16),
    to: (address: [UInt8], port: UInt16), timeToLive: UInt8, data: [UInt8]
  ) -> [UInt8] {
    let packet = PacketBuilder(from.address, to.address, .udp(from.port, to.port, data: data))
    return ipv4(
      destinationMAC, sourceMAC, from: from.address, to: to.address, protocolNumber: 17,
      timeToLive: timeToLive, payload: packet.payload)
  }

  /// A TCP segment whose checksum is wrong: the gateway does not check those in transit.
  static func tcp(
    _ destinationMAC: [UInt8], _ sourceMAC: [UInt8], from: (address: [UInt8], port: UInt16),
    to: (address: [UInt8], port: UInt16),
    flags: UInt8
  ) -> [UInt8] {
    let packet = PacketBuilder(from.address, to.address, .tcp(from.port, to.port, flags: flags))
    return ipv4(
      destinationMAC, sourceMAC, from: from.address, to: to.address, protocolNumber: 6, timeToLive: 64,
      payload: packet.with { $0.checksum = .wrong }.payload)
  }

  static func ipv4(
    _ destinationMAC: [UInt8], _ sourceMAC: [UInt8], from: [UInt8], to: [UInt8], protocolNumber: UInt8,
    timeToLive: UInt8, identification: UInt16 = 7, field: UInt16 = 0x4000, payload: [UInt8]
  ) -> [UInt8] {
    let packet = PacketBuilder(from, to, .other(protocolNumber, payload)).with {
      $0.timeToLive = timeToLive
      $0.identification = identification
      $0.fragmentField = field
    }
    return EthernetFrame.bytes(to: destinationMAC, from: sourceMAC, packet.bytes)
  }

  /// Replaces 16 bits of a frame and updates no checksum.
  static func set(_ value: Int, at offset: Int, in frame: inout [UInt8]) {
    setWord(&frame, offset, UInt16(truncatingIfNeeded: value))
  }

  /// Makes the checksum of a header of 20 bytes right again.
  static func fixHeader(_ frame: inout [UInt8]) {
    InternetChecksum.write(to: &frame, at: 24, over: 14..<34)
  }
}
