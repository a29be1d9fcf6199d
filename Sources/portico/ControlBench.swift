import Foundation
import Glibc
import NATControl
import NATControlSocket
import NATLab
import NATWire
import Synchronization

/// A daemon with a large table, and packets through it at a steady rate.
struct ControlBench {
  /// The measurements of one half round.
  struct Half {
    var packetsPerSecond: Double
    /// The longest round of each second, in microseconds.
    var longestRounds: [Double]
    var dumpSeconds: [Double] = []
    /// Whether each dump had every session once.
    var isWhole = true
  }

  private let network: LabNetwork
  private let control: ControlClient
  private let daemon: ServerProgram
  private let sessions: Int
  private let rate: Int
  private let seconds: Int
  private let flows: [PacketSource.Flow]
  private let hop: String

  /// Bindings; the sessions are theirs, towards many remote addresses.
  fileprivate static let ports = 64

  init(sessions: Int, rate: Int, seconds: Int) async throws {
    self.sessions = sessions
    self.rate = rate
    self.seconds = seconds
    network = try LabNetwork("bench")
    try network.discard()
    daemon = ServerProgram(
      try network.startDaemon(
        """
        nat:
          limits: { sessions: \(sessions + 1000), per-host: { sessions: \(sessions + 1000) } }
          lifetimes: { udp: 7200s }
        """))
    control = ControlClient(socketPath: network.controlSocket)
    _ = try network.client.attempt("ping -n -c 3 -i 0.1 -W 1 203.0.113.9")
    guard let hop = try network.nextHop(of: network.client, "eth0") else {
      throw LabFailure(description: "the gateway does not answer ARP")
    }
    self.hop = hop
    // Remote addresses behind the server, which drops the packets.
    flows = (0..<sessions).map {
      .init(
        port: UInt16(ControlBench.firstPort + $0 % ControlBench.ports),
        destination: IPv4Address(ControlBench.firstAddress + UInt32($0 / ControlBench.ports)))
    }
    // Repeat for sessions whose packet was lost.
    for _ in 0..<5 where try await control.stats().sessions < sessions {
      try fill()
      try Interruption.check()
    }
    let made = try await control.stats().sessions
    guard made >= sessions else {
      throw LabFailure(description: "the table has \(made) sessions instead of \(sessions)")
    }
  }

  private func fill() throws {
    var source = try network.client.enter { [hop, flows] in try PacketSource("eth0", to: hop, flows: flows) }
    source.sendEachOnce(rate: rate)
    usleep(200_000)
  }

  /// Sends packets for some seconds, and dumps the table meanwhile if asked to.
  func half(dumps: Bool) async throws -> Half {
    let isOver = Flag()
    let path = network.controlSocket
    let expected = sessions
    let dumping = Task {
      var times: [Double] = []
      var isWhole = true
      while dumps, !isOver.isSet {
        let start = monotonicNanoseconds()
        let seen = try ControlBench.dump(path, sessions: expected)
        times.append(Double(monotonicNanoseconds() - start) / 1e9)
        if !seen.isWhole { isWhole = false }
      }
      return (times, isWhole)
    }
    let before = try network.arrived()
    let start = monotonicNanoseconds()
    try send()
    let elapsed = monotonicNanoseconds() - start
    let arrived = try network.arrived() - before
    let rounds = try await control.status().workers[0].longestRoundBySecondNanoseconds
    isOver.set()
    let (times, isWhole) = try await dumping.value
    try Interruption.check()
    return Half(
      packetsPerSecond: Double(arrived) / Double(elapsed) * 1e9,
      longestRounds: rounds.prefix(seconds - 1).map { Double($0) / 1000 }, dumpSeconds: times,
      isWhole: isWhole)
  }

  /// A thread with priority sends the packets, so that dumps do not delay them.
  private func send() throws {
    var source = try network.client.enter { [hop, flows] in
      try PacketSource("eth0", to: hop, flows: Array(flows.prefix(1000)))
    }
    var priority = sched_param(sched_priority: 1)
    // Safety: the structure is ours.
    unsafe pthread_setschedparam(pthread_self(), SCHED_RR, &priority)
    source.send(for: UInt64(seconds) * 1_000_000_000, rate: rate)
    priority.sched_priority = 0
    unsafe pthread_setschedparam(pthread_self(), SCHED_OTHER, &priority)
  }

  /// Dumps the table with the command, as an operator would.
  private static func dump(_ path: String, sessions: Int) throws -> SeenSessions {
    let process = try ChildProcess([try Programs.own(), "table", "--json", "--socket", path])
    var seen = SeenSessions(sessions)
    while let bytes = process.readSome() { seen.add(bytes) }
    if process.wait() != 0 { seen.isCut = true }
    return seen
  }

  func stop() { daemon.end() }

  /// The first remote address.
  fileprivate static let firstAddress = IPv4Address(198, 18, 0, 0).rawValue
  fileprivate static let firstPort = 20_000
}

/// Checks off the sessions of a JSON table while it streams in.
private struct SeenSessions {
  var isCut = false
  private var isSeen: [Bool]
  private var left: Int
  private var isTwice = false
  private var port = 0
  /// The text of the endpoint that is being read, without braces.
  private var endpoint: [UInt8]?
  private var recent: UInt64 = 0
  private var isRemote = false

  /// The last eight bytes before the brace of an endpoint.
  private static let publicMark = word("public\":")
  private static let remoteMark = word("remote\":")

  private static func word(_ text: String) -> UInt64 { text.utf8.reduce(0) { $0 << 8 | UInt64($1) } }

  init(_ count: Int) {
    isSeen = [Bool](repeating: false, count: count)
    left = count
  }

  var isWhole: Bool { !isCut && !isTwice && left == 0 }

  mutating func add(_ bytes: [UInt8]) {
    for byte in bytes {
      if byte == UInt8(ascii: "{"), recent == SeenSessions.publicMark || recent == SeenSessions.remoteMark {
        isRemote = recent == SeenSessions.remoteMark
        endpoint = []
      } else if byte == UInt8(ascii: "}"), let text = endpoint {
        note(text)
        endpoint = nil
      } else {
        endpoint?.append(byte)
      }
      recent = recent << 8 | UInt64(byte)
    }
  }

  private mutating func note(_ text: [UInt8]) {
    // "address":"198.18.0.1","port":9
    let numbers = text.split { !(48...57).contains($0) }.map { $0.reduce(0) { $0 * 10 + Int($1) - 48 } }
    guard numbers.count == 5 else { return }
    guard isRemote else {
      port = numbers[4]
      return
    }
    let address = numbers[0] << 24 | numbers[1] << 16 | numbers[2] << 8 | numbers[3]
    let index =
      (address - Int(ControlBench.firstAddress)) * ControlBench.ports + port - ControlBench.firstPort
    // The ping's session is there too.
    guard isSeen.indices.contains(index), port >= ControlBench.firstPort else { return }
    if isSeen[index] { isTwice = true } else { left -= 1 }
    isSeen[index] = true
  }
}

private final class Flag: Sendable {
  private let value = Atomic(false)
  var isSet: Bool { value.load(ordering: .relaxed) }
  func set() { value.store(true, ordering: .relaxed) }
}
