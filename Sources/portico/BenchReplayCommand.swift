import ArgumentParser
import Foundation
import Glibc
import NATCaptureFiles
import NATComposition
import NATConfiguration
import NATEngine
import NATGateway
import NATLab
import NATWire

struct BenchReplayCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay",
    abstract: "Time a replay against tcpdump and tcprewrite on the same capture.",
    usage: "portico bench replay [--packets <packets>] [<options>]",
    discussion: """
      Writes a capture of UDP packets of 64 bytes over many flows to a temporary directory. Then runs `portico replay`, \
      `tcpdump -r -w` and `tcprewrite --pnat -C` on it in turn, each as a whole process. Prints medians and ratios. \
      Programs that are not installed are left out: `apt-get install -y tcpdump tcpreplay`.

      EXAMPLES
        portico bench replay
        portico bench replay --packets 100000 --flows 1000 --rounds 3

      EXIT CODES
        0 done, 1 a program failed, 64 usage
      """)

  @Option(help: "Packets in the capture.") var packets = 2_000_000
  @Option(help: "Number of flows.") var flows = 1000
  @Option(help: "Number of rounds.") var rounds = 5
  @Flag(help: "Print JSON.") var json = false

  func validate() throws {
    guard packets > 0, (1...50_000).contains(flows), rounds > 0 else {
      throw ValidationError("--packets and --rounds take at least 1, --flows 1 to 50000")
    }
  }

  func run() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "portico-bench-\(getpid())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let capture = folder.appending(path: "in.pcap").path
    let configuration = folder.appending(path: "portico.yaml").path
    try BenchReplayCommand.configurationText.write(toFile: configuration, atomically: true, encoding: .utf8)
    try writeCapture(capture)

    let output = folder.appending(path: "out.pcap").path
    let own = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().path
    var contenders = [
      Contender(
        name: "portico replay",
        arguments: [
          own, "replay", "--config", configuration, "--inside", capture, "--outside-out", output, "--stats",
          folder.appending(path: "stats.json").path,
        ])
    ]
    if let path = Programs.find("tcpdump") {
      contenders.append(Contender(name: "tcpdump", arguments: [path, "-r", capture, "-w", output]))
    }
    if let path = Programs.find("tcprewrite") {
      contenders.append(
        Contender(
          name: "tcprewrite",
          arguments: [path, "--pnat=192.168.0.0/16:203.0.113.0/24", "-C", "-i", capture, "-o", output]))
    }
    // In turn, so that a slow phase of the machine affects all of them. The first round is not counted.
    for round in 0...rounds {
      for index in contenders.indices {
        let seconds = try contenders[index].run()
        if round > 0 { contenders[index].seconds.append(seconds) }
      }
    }
    report(contenders)
  }

  private func report(_ contenders: [Contender]) {
    let own = contenders[0].median
    for contender in contenders {
      let ratio = (own / contender.median * 1000).rounded() / 1000
      let median = (contender.median * 1000).rounded() / 1000
      if json {
        print(
          #"{"bench":"replay","program":"\#(contender.name)","packets":\#(packets),"flows":\#(flows),"#
            + #""rounds":\#(rounds),"medianSeconds":\#(median),"porticoRatio":\#(ratio)}"#)
      } else {
        print("\(contender.name): \(median) s; portico takes \(ratio) of it")
      }
    }
  }

  private static let configurationText = """
    interfaces:
      inside:  { name: lan0, address: 192.168.0.1/16 }
      outside: { name: wan0, address: 203.0.113.5/24, gateway: 203.0.113.1 }

    """

  /// Writes UDP packets of 64 bytes, one a microsecond, one flow after the other.
  private func writeCapture(_ path: String) throws {
    var writer = try CaptureWriter(path: path)
    var bytes = [UInt8](repeating: 0, count: 64)
    for packet in 0..<packets {
      let flow = packet % flows
      try unsafe bytes.withUnsafeMutableBytes { buffer in
        // Safety: 64 bytes, used only inside this closure.
        let frame = unsafe Frame(unsafeBase: buffer.baseAddress!, count: 64)
        frame.setEthernet(
          destination: GatewaySettings.defaultMAC.inside,
          source: MACAddress(0x02AA_0000_0000 | UInt64(flow % 250)), type: Ethernet.typeIPv4)
        frame.setUDP(
          from: Endpoint(IPv4Address(192, 168, 1, UInt8(2 + flow % 250)), UInt16(10_000 + flow)),
          to: Endpoint(IPv4Address(198, 51, 100, UInt8(1 + flow % 200)), 4500),
          identification: UInt32(truncatingIfNeeded: packet) << 16)
        try unsafe writer.append(
          UnsafeRawBufferPointer(buffer),
          at: Instant(nanoseconds: 1_700_000_000_000_000_000 + UInt64(packet) * 1000))
      }
    }
    try writer.close()
  }
}

/// A program whose run is timed as a whole process.
private struct Contender {
  let name: String
  let arguments: [String]
  var seconds: [Double] = []

  var median: Double { seconds.sorted()[seconds.count / 2] }

  func run() throws -> Double {
    let start = monotonicNanoseconds()
    let process = try ChildProcess(arguments)
    _ = process.readToEnd()
    let status = process.wait()
    let elapsed = monotonicNanoseconds() - start
    guard status == 0 else { throw Failure.exit(1, "\(name) ended with status \(status)") }
    return Double(elapsed) / 1e9
  }
}
