import Foundation
import Glibc
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
    let everybody = [UInt8](repeating: 0xFF, count: 6)
    return everybody + mac + [8, 6, 0, 1, 8, 0, 6, 4, 0, 2] + mac + address + everybody + address
  }

  private static func data(_ talk: Int) -> [UInt8] {
    (0..<(8 + talk % 200)).map { UInt8(truncatingIfNeeded: talk &* 31 &+ $0) }
  }

  static func question(_ talk: Int) -> [UInt8] {
    Frames.udp(
      Frames.gatewayInside, hostMAC, from: (host, port), to: (server, 9), timeToLive: 64, data: data(talk))
  }

  static func questionOutside(_ talk: Int) -> [UInt8] {
    Frames.udp(
      router, Frames.gatewayOutside, from: (Frames.publicAddress, port), to: (server, 9), timeToLive: 63,
      data: data(talk))
  }

  static func answer(_ talk: Int) -> [UInt8] {
    Frames.udp(
      Frames.gatewayOutside, router, from: (server, 9), to: (Frames.publicAddress, port), timeToLive: 64,
      data: data(talk + 7))
  }

  static func answerInside(_ talk: Int) -> [UInt8] {
    Frames.udp(
      hostMAC, Frames.gatewayInside, from: (server, 9), to: (host, port), timeToLive: 63, data: data(talk + 7)
    )
  }
}

/// Frames and records of floods.
enum Frames {
  static let gatewayInside: [UInt8] = [2, 0x50, 0, 0, 0, 1]
  static let gatewayOutside: [UInt8] = [2, 0x50, 0, 0, 0, 2]
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
    bytes += Bytes.little(UInt32(Bytes.start + nanoseconds / 1_000_000_000))
    bytes += Bytes.little(UInt32(nanoseconds % 1_000_000_000))
    let length = Bytes.little(UInt32(frame.count))
    bytes += length
    bytes += length
    bytes += frame
  }

  /// The records whose UDP port, of the source outside and of the destination inside, is that one.
  static func records(_ capture: [UInt8], ofPort port: UInt16, isOutside: Bool) -> [Flood.Heard] {
    var found: [Flood.Heard] = []
    var offset = 24
    let field = isOutside ? 34 : 36
    func little(_ at: Int) -> UInt64 { (0..<4).reduce(0) { $0 | UInt64(capture[at + $1]) << UInt64(8 * $1) } }
    while offset + 16 <= capture.count {
      let length = Int(little(offset + 8))
      let frame = offset + 16
      if length > 38, capture[frame + 23] == 17, capture[frame + field] == UInt8(port >> 8),
        capture[frame + field + 1] == UInt8(port & 0xFF)
      {
        found.append(
          Flood.Heard(
            nanoseconds: (little(offset) - Bytes.start) * 1_000_000_000 + little(offset + 4),
            frame: Array(capture[frame..<frame + length])))
      }
      offset = frame + length
    }
    return found
  }

  /// A UDP datagram with every checksum.
  static func udp(
    _ destinationMAC: [UInt8], _ sourceMAC: [UInt8], from: (address: [UInt8], port: UInt16),
    to: (address: [UInt8], port: UInt16), timeToLive: UInt8, data: [UInt8]
  ) -> [UInt8] {
    let length = big(UInt16(8 + data.count))
    let ports = big(from.port) + big(to.port)
    var sum = checksum(from.address + to.address + [0, 17] + length + ports + length + [0, 0] + data)
    if sum == 0 { sum = 0xFFFF }
    return ipv4(
      destinationMAC, sourceMAC, from: from.address, to: to.address, protocolNumber: 17,
      timeToLive: timeToLive, payload: ports + length + big(sum) + data)
  }

  /// A TCP segment whose checksum is wrong: those in transit are not looked at.
  static func tcp(
    _ destinationMAC: [UInt8], _ sourceMAC: [UInt8], from: (address: [UInt8], port: UInt16),
    to: (address: [UInt8], port: UInt16),
    flags: UInt8
  ) -> [UInt8] {
    ipv4(
      destinationMAC, sourceMAC, from: from.address, to: to.address, protocolNumber: 6, timeToLive: 64,
      payload: big(from.port) + big(to.port) + [
        0, 0, 0, 1, 0, 0, 0, 0, 0x50, flags, 0xFF, 0xFF, 0x12, 0x34, 0, 0,
      ])
  }

  static func ipv4(
    _ destinationMAC: [UInt8], _ sourceMAC: [UInt8], from: [UInt8], to: [UInt8], protocolNumber: UInt8,
    timeToLive: UInt8, identification: UInt16 = 7, field: UInt16 = 0x4000, payload: [UInt8]
  ) -> [UInt8] {
    var header: [UInt8] =
      [0x45, 0] + big(UInt16(20 + payload.count)) + big(identification) + big(field)
      + [timeToLive, protocolNumber, 0, 0] + from + to
    header.replaceSubrange(10..<12, with: big(checksum(header)))
    return destinationMAC + sourceMAC + [8, 0] + header + payload
  }

  /// Replaces 16 bits of a frame, without a look at any checksum.
  static func set(_ value: Int, at offset: Int, in frame: inout [UInt8]) {
    frame[offset] = UInt8(truncatingIfNeeded: value >> 8)
    frame[offset + 1] = UInt8(truncatingIfNeeded: value)
  }

  /// Makes the checksum of a header of 20 bytes right again.
  static func fixHeader(_ frame: inout [UInt8]) {
    set(0, at: 24, in: &frame)
    set(Int(checksum(frame[14..<34])), at: 24, in: &frame)
  }

  static func checksum(_ bytes: some Collection<UInt8>) -> UInt16 {
    var sum: UInt32 = 0
    var isHigh = true
    for byte in bytes {
      sum += isHigh ? UInt32(byte) << 8 : UInt32(byte)
      isHigh.toggle()
    }
    while sum > 0xFFFF { sum = (sum & 0xFFFF) + (sum >> 16) }
    return ~UInt16(sum)
  }

  static func big(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xFF)] }
}
