import Foundation
import Glibc
import NATLab

/// Measures contenders in turn between a client and a server in network namespaces of their own.
final class LiveBench {
  enum Contender: String, CaseIterable {
    case portico
    /// nftables masquerade.
    case kernel
    /// slirp4netns: a NAT in user space with its own sockets towards the outside.
    case slirp4netns
  }

  enum Measure: String, CaseIterable {
    case upload = "TCP up"
    case download = "TCP down"
    case smallPackets = "small UDP packets"
    case roundTrip = "ping"

    var unit: String {
      switch self {
      case .upload, .download: "Gbit/s"
      case .smallPackets: "Mpps"
      case .roundTrip: "ms"
      }
    }
  }

  /// The values of a contender, one for each round.
  struct Result {
    let contender: Contender
    let measure: Measure
    var values: [Double] = []
  }

  private(set) var results: [Result] = []
  private let seconds: Int
  private let flows: Int
  private let network: LabNetwork
  /// The namespace in which slirp4netns makes its interface.
  private let guest: NetworkNamespace
  private let perf: ServerProgram?
  private var contenders: [Contender] = [.portico]

  init(seconds: Int, flows: Int) throws {
    self.seconds = seconds
    self.flows = flows
    network = try LabNetwork("bench")
    try network.discard()
    guest = try NetworkNamespace()
    if Programs.has("nft") {
      contenders.append(.kernel)
    } else {
      Failure.say("no program `nft`, so no kernel to compare with; `apt-get install -y nftables`")
    }
    if Programs.has("slirp4netns") {
      contenders.append(.slirp4netns)
    } else {
      Failure.say("left out: no program `slirp4netns`; `apt-get install -y slirp4netns` installs it")
    }
    if Programs.has("iperf3") {
      let program = try network.server.start(["/usr/bin/env", "iperf3", "-s", "--forceflush"])
      let words = program.read(until: "listening")
      guard words.contains("listening") else {
        throw LabFailure(description: "iperf3 does not serve: \(words)")
      }
      perf = ServerProgram(program)
    } else {
      Failure.say("no TCP: no program `iperf3`; `apt-get install -y iperf3` installs it")
      perf = nil
    }
  }

  /// Measures everything once with each contender.
  func round() throws {
    for contender in contenders {
      try Interruption.check()
      switch contender {
      case .portico: try withPortico { try measure(contender, from: network.client, "eth0") }
      case .kernel: try withKernel { try measure(contender, from: network.client, "eth0") }
      case .slirp4netns: try withSlirp { try measure(contender, from: guest, "tap0") }
      }
    }
  }

  // MARK: Contenders

  private func withPortico(_ body: () throws -> Void) throws {
    let daemon = try network.startDaemon()
    try body()
    daemon.terminate()
  }

  private func withKernel(_ body: () throws -> Void) throws {
    try network.gateway.shell(
      """
      ip address add 192.168.1.1/24 dev lan0 && ip address add 203.0.113.5/24 dev wan0 && \
      echo 1 >/proc/sys/net/ipv4/ip_forward && \
      nft 'add table ip kernelnat; \
      add chain ip kernelnat out { type nat hook postrouting priority srcnat; }; \
      add rule ip kernelnat out oifname wan0 masquerade'
      """)
    try body()
    try network.gateway.shell(
      """
      nft delete table ip kernelnat && echo 0 >/proc/sys/net/ipv4/ip_forward && \
      ip address flush dev lan0 && ip address flush dev wan0
      """)
  }

  private func withSlirp(_ body: () throws -> Void) throws {
    // Its sockets belong to the gateway's kernel.
    try network.gateway.shell("ip address add 203.0.113.5/24 dev wan0")
    let program = try network.gateway.start([
      "/usr/bin/env", "slirp4netns", "--configure", "--mtu=65520", "--netns-type=path", guest.path, "tap0",
    ])
    // The rest of its output stays in its buffer.
    let words = program.read(until: "received tapfd")
    guard words.contains("received tapfd") else { throw LabFailure(description: "slirp4netns: \(words)") }
    try body()
    program.terminate()
    try network.gateway.shell("ip address flush dev wan0")
  }

  // MARK: Measurements

  private func measure(_ contender: Contender, from host: NetworkNamespace, _ interface: String) throws {
    // The MAC address of the gateway has changed.
    _ = try host.attempt("ip neighbour flush all")
    _ = try network.server.attempt("ip neighbour flush all")
    // The first packets resolve neighbours.
    _ = try host.attempt("ping -n -c 3 -i 0.1 -W 1 203.0.113.9")
    add(try ping(from: host), contender, .roundTrip)
    add(try smallPackets(from: host, interface), contender, .smallPackets)
    guard perf != nil else { return }
    add(try stream(from: host, ""), contender, .upload)
    add(try stream(from: host, "-R"), contender, .download)
  }

  private func add(_ value: Double?, _ contender: Contender, _ measure: Measure) {
    guard let value else { return }
    if let index = results.firstIndex(where: { $0.contender == contender && $0.measure == measure }) {
      results[index].values.append(value)
    } else {
      results.append(Result(contender: contender, measure: measure, values: [value]))
    }
  }

  /// Gbit/s of one stream.
  private func stream(from host: NetworkNamespace, _ options: String) throws -> Double? {
    struct Report: Decodable {
      struct Sum: Decodable {
        var bitsPerSecond: Double
      }
      struct End: Decodable {
        var sumReceived: Sum
      }
      var end: End
    }
    let command = "iperf3 -c 203.0.113.9 -t \(seconds) -J \(options)"
    var result = try host.attempt(command)
    // The iperf3 server does not listen for a moment between two streams.
    for _ in 0..<20 where result.output.contains("Connection refused") {
      try Interruption.check()
      usleep(100_000)
      result = try host.attempt(command)
    }
    try Interruption.check()
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    guard let report = try? decoder.decode(Report.self, from: Data(result.output.utf8)) else {
      throw LabFailure(description: "iperf3 reports nothing: \(result.output)")
    }
    return report.end.sumReceived.bitsPerSecond / 1e9
  }

  /// The median round trip in milliseconds.
  private func ping(from host: NetworkNamespace) throws -> Double? {
    let result = try host.attempt("ping -n -c 200 -i 0.01 -W 1 203.0.113.9")
    try Interruption.check()
    let times = result.output.split(separator: "\n").compactMap { line -> Double? in
      guard let start = line.range(of: "time="), let end = line.range(of: " ms") else { return nil }
      return Double(line[start.upperBound..<end.lowerBound])
    }
    guard times.count > 100 else { return nil }
    return times.sorted()[times.count / 2]
  }

  /// Millions of packets a second that reach the server.
  private func smallPackets(from host: NetworkNamespace, _ interface: String) throws -> Double? {
    guard let hop = try network.nextHop(of: host, interface) else { return nil }
    var source = try host.enter {
      try PacketSource(interface, to: hop, flows: (0..<flows).map { .init(port: UInt16(20_000 + $0)) })
    }
    // Make the bindings before the measurement, slowly enough that no packet is lost.
    source.sendEachOnce()
    usleep(50_000)
    let received = try network.arrived()
    let start = monotonicNanoseconds()
    source.send(for: UInt64(seconds) * 1_000_000_000)
    let elapsed = monotonicNanoseconds() - start
    let count = try network.arrived() - received
    try Interruption.check()
    usleep(100_000)
    return Double(count) / Double(elapsed) * 1e3
  }
}
