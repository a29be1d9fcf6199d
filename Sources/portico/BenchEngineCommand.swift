import ArgumentParser
import Glibc
import NATComposition
import NATEngine
import NATGateway
import NATMemory
import NATTable
import NATWire

struct BenchEngineCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "engine",
    abstract: "Time the engine alone: nanoseconds a packet, both directions mixed.",
    usage: "portico bench engine [--flows <flows> ...] [<options>]",
    discussion: """
      Sends UDP packets of 64 bytes, both directions in turn, over flows in random order. Each flow has its own binding and \
      session. Only `Gateway.process` is timed, in batches of \(FrameBatch.capacity). Allocations, retains and releases of the \
      Swift runtime are counted too. A program that contains the runtime, such as the installed one, cannot count them and \
      says so.

      EXAMPLES
        portico bench engine
        portico bench engine --flows 100000 --json

      EXIT CODES
        0 done, 64 usage
      """)

  @Option(help: "Number of flows (1 to 4000000); may be repeated.") var flows: [Int] = [1000, 1_000_000]
  @Option(help: "Packets a round.") var packets = 2_000_000
  @Option(help: "Number of rounds.") var rounds = 5
  @Flag(help: "Print JSON.") var json = false

  func validate() throws {
    guard flows.allSatisfy({ (1...4_000_000).contains($0) }) else {
      throw ValidationError("--flows takes 1 to 4000000")
    }
    guard packets >= FrameBatch.capacity, rounds > 0 else {
      throw ValidationError("--packets takes at least \(FrameBatch.capacity), --rounds at least 1")
    }
  }

  func run() throws {
    for count in flows {
      let before = ProcessMemory.residentBytes
      var bench = EngineBench(flows: count)
      let bytes = ProcessMemory.residentBytes - before
      var times: [Double] = []
      var runtime = RuntimeCalls()
      for _ in 0..<rounds { times.append(bench.round(packets: packets, &runtime)) }
      let sorted = times.sorted()
      let median = sorted[sorted.count / 2]
      if json {
        print(
          """
          {"bench":"engine","flows":\(count),"packets":\(packets),"rounds":\(rounds),\
          "nanosecondsPerPacket":{"minimum":\(format(sorted[0])),"median":\(format(median)),\
          "maximum":\(format(sorted[sorted.count - 1]))},\
          "allocations":\(number(runtime.counts?.allocations)),"retains":\(number(runtime.counts?.retains)),\
          "releases":\(number(runtime.counts?.releases)),\
          "residentBytesPerFlow":\(bytes / count)}
          """)
      } else {
        print(
          """
          engine, \(count) flows: \(format(median)) ns a packet \
          (\(format(sorted[0])) to \(format(sorted[sorted.count - 1])), \(rounds) rounds of \(packets)); \
          \(text(runtime.counts)); \
          \(bytes / count) B resident a flow (binding and session)
          """)
      }
    }
  }

  private func format(_ value: Double) -> String { String((value * 10).rounded() / 10) }

  private func number(_ count: Int?) -> String { count.map { "\($0)" } ?? "null" }

  private func text(_ counts: RuntimeCalls.Counts?) -> String {
    counts.map { "\($0.allocations) allocations, \($0.retains) retains, \($0.releases) releases" }
      ?? "allocations cannot be counted, as this program has Swift's runtime in itself"
  }
}

/// A gateway with many UDP flows, and packets of these flows.
struct EngineBench: ~Copyable {
  private(set) var gateway: Gateway
  private let store: CounterStore
  private var batch: FrameBatch
  private var outbox: Outbox
  private var publicPorts: [Endpoint] = []
  private var random = RandomSource(seed: 1)
  private(set) var clock = Instant(nanoseconds: 1_000_000_000_000)
  private let settings: GatewaySettings

  private static let remote = Endpoint(IPv4Address(198, 51, 100, 7), 4500)

  /// The private endpoint of a flow: 16 ports a host.
  private static func privateEndpoint(_ flow: Int) -> Endpoint {
    Endpoint(IPv4Address(0x0A00_0002 + UInt32(flow / 16)), UInt16(2000 + flow % 16 * 3000))
  }

  init(flows: Int) {
    let addresses = flows / 60_000 + 1
    var table = TableSettings(
      pool: (0..<addresses).map {
        PoolAddress(IPv4Address(IPv4Address(203, 0, 113, 5).rawValue + UInt32($0)), ports: [1024...65535])
      })
    // The default limits, or more if there are more flows.
    table.bindingLimit = max(flows, table.bindingLimit)
    table.sessionLimit = max(flows, table.sessionLimit)
    table.lifetimes.udp = 86_400_000_000_000
    var settings = GatewaySettings(
      [
        Interface(
          .inside, address: IPv4Address(10, 0, 0, 1), prefixLength: 8, mac: GatewaySettings.defaultMAC.inside),
        Interface(
          .outside, address: IPv4Address(203, 0, 113, 5), prefixLength: 24,
          mac: GatewaySettings.defaultMAC.outside),
      ],
      insideNetworks: [IPv4Network(IPv4Address(10, 0, 0, 0), prefixLength: 8)], table: table)
    settings.routes = [
      StaticRoute(IPv4Network(.any, prefixLength: 0), via: IPv4Address(203, 0, 113, 1), on: .outside)
    ]
    self.settings = settings
    store = CounterStore()
    gateway = Gateway(settings, counters: store.counters, random: RandomSource(seed: 1))
    batch = FrameBatch(maximumFrameLength: 2048)
    outbox = Outbox()
    publicPorts.reserveCapacity(flows)
    for flow in 0..<flows {
      append(flow: flow, isAnswer: false)
      if batch.count == FrameBatch.capacity || flow == flows - 1 {
        gateway.process(&batch, into: &outbox)
        for index in 0..<outbox.count {
          let frame = outbox[index].frame
          publicPorts.append(Endpoint(frame.address(at: 26), frame.uint16(at: 34)))
        }
        outbox.removeAll()
        batch.removeAll()
      }
    }
    precondition(publicPorts.count == flows, "every flow has a binding")
  }

  /// Runs a job in steps, as a worker of the daemon does.
  mutating func work(on job: inout some GatewayJob) { _ = job.step(&gateway, into: &outbox, at: clock) }

  /// A new gateway with the same settings and no state.
  func makeGateway(_ store: CounterStore) -> Gateway {
    Gateway(settings, counters: store.counters, random: RandomSource(seed: 2))
  }

  /// Processes `packets` packets.
  /// - Returns: nanoseconds a packet.
  mutating func round(packets: Int, _ runtime: inout RuntimeCalls) -> Double {
    var elapsed: UInt64 = 0
    let batches = packets / FrameBatch.capacity
    var sent = 0
    for _ in 0..<batches {
      clock = clock.advanced(by: 1000)
      for index in 0..<FrameBatch.capacity {
        append(flow: random.next(below: publicPorts.count), isAnswer: index & 1 == 1)
      }
      runtime.begin()
      let start = monotonicNanoseconds()
      gateway.process(&batch, into: &outbox)
      elapsed += monotonicNanoseconds() - start
      runtime.end()
      sent += outbox.count
      outbox.removeAll()
      batch.removeAll()
    }
    precondition(sent == batches * FrameBatch.capacity, "every packet is forwarded")
    return Double(elapsed) / Double(batches * FrameBatch.capacity)
  }

  /// Builds the frame that the batch will copy: an outbound packet of the flow, or an answer.
  private mutating func append(flow: Int, isAnswer: Bool) {
    unsafe withUnsafeTemporaryAllocation(byteCount: 64, alignment: 8) { bytes in
      // Safety: 64 bytes, used only inside this closure.
      let frame = unsafe Frame(unsafeBase: bytes.baseAddress!, count: bytes.count)
      let source = isAnswer ? EngineBench.remote : EngineBench.privateEndpoint(flow)
      let destination = isAnswer ? publicPorts[flow] : EngineBench.remote
      frame.setEthernet(
        destination: isAnswer ? GatewaySettings.defaultMAC.outside : GatewaySettings.defaultMAC.inside,
        source: MACAddress(0x02AA_0000_0000 | UInt64(isAnswer ? 1 : 2)), type: Ethernet.typeIPv4)
      frame.setUDP(from: source, to: destination, checksum: 0x1234)
      for offset in 42..<64 { frame.setUInt8(0, at: offset) }
      unsafe batch.append(
        UnsafeRawBufferPointer(bytes), wireLength: 64, at: clock, from: isAnswer ? .outside : .inside,
        link: .ethernet)
    }
  }
}

/// Nanoseconds of the monotonic clock.
func monotonicNanoseconds() -> UInt64 {
  var time = timespec()
  // Safety: the structure is ours.
  unsafe _ = clock_gettime(CLOCK_MONOTONIC, &time)
  return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
