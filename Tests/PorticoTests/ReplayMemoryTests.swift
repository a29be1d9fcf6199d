import Foundation
import Glibc
import TestSupport
import Testing

@Suite("portico replay: memory")
struct ReplayMemoryTests {
  /// The highest resident size that a process ever had, in KiB.
  private func peak(of process: Process) throws -> Int {
    let status = try String(contentsOfFile: "/proc/\(process.processIdentifier)/status", encoding: .utf8)
    let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") })
    return try #require(
      line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap { Int($0) })
  }

  /// A thousand datagrams of as many flows.
  private static let block: [UInt8] = {
    let packets = (0..<1000).map { (flow: Int) -> Bytes.Packet in
      let host: [UInt8] = [192, 168, 1, UInt8(2 + flow % 250)]
      let frame = Bytes.udp(from: host, UInt16(5000 + flow / 250), to: [198, 51, 100, 7], 9, isInside: true)
      return Bytes.Packet(microseconds: UInt64(flow), frame: frame)
    }
    return Array(Bytes.capture(packets).dropFirst(24))
  }()

  /// In thousands of packets. A build for debugging is too slow for the whole length; a tenth of it still shows a
  /// dozen bytes kept of each packet.
  #if DEBUG
  private static let (short, long) = (30, 200)
  #else
  private static let (short, long) = (200, 2000)
  #endif

  @Test("it does not grow with the capture, many more packets take no more than 2 MiB")
  func stream() throws {
    // A command that ends too early must fail this test, not end it.
    _ = signal(SIGPIPE, SIG_IGN)
    let desk = try Desk()
    let process = Process()
    let pipe = Pipe()
    process.executableURL = try PorticoCommand.executable()
    process.arguments = [
      "replay", "--config", "portico.yaml", "--inside", "-", "--outside-out", "/dev/null", "--table",
      "table.json",
      "--stats", "stats.json",
    ]
    process.currentDirectoryURL = desk.folder
    process.standardInput = pipe
    process.standardError = FileHandle.nullDevice
    try process.run()
    let input = pipe.fileHandleForWriting
    try input.write(contentsOf: Data(Bytes.capture([])))
    var block = ReplayMemoryTests.block
    var sizes: [Int] = []
    for turn in 0..<ReplayMemoryTests.long {
      // A block every second: the seconds stand in front of each record of 76 bytes.
      let seconds = little(UInt32(Bytes.start) + UInt32(turn))
      for record in stride(from: 0, to: block.count, by: 76) {
        for byte in 0..<4 { block[record + byte] = seconds[byte] }
      }
      try input.write(contentsOf: Data(block))
      // What the pipe and the reader's buffer hold back is less than 2,000 packets: a read from a pipe gives 64 KiB.
      if turn == ReplayMemoryTests.short { sizes.append(try peak(of: process)) }
    }
    sizes.append(try peak(of: process))
    try input.close()
    process.waitUntilExit()
    #expect(process.terminationReason == .exit && process.terminationStatus == 0)
    #expect(
      sizes[1] - sizes[0] < 2048, "\(sizes[0]) KiB, then \(sizes[1]) KiB")
    let stats = String(decoding: try desk.bytes("stats.json"), as: UTF8.self)
    #expect(stats.contains(#""inside":{"packetsReceived":\#(ReplayMemoryTests.long)000,"#))
    #expect(
      stats.contains(
        #""outside":{"packetsReceived":0,"bytesReceived":0,"packetsSent":\#(ReplayMemoryTests.long)000,"#))
    #expect(stats.contains(#""bindings":1000,"sessions":1000,"#))
  }
}
