import FuzzerSupport
import NATConfiguration
import NATWire

/// What operators, and the machine that a gateway runs on, change while it works. What comes of it may be no configuration
/// at all; then it is refused.
struct Change {
  let apply: (inout Configuration, inout Configuration.Machine) -> Void

  init(_ apply: @escaping (inout Configuration, inout Configuration.Machine) -> Void) { self.apply = apply }

  private static let second: UInt64 = 1_000_000_000
  fileprivate static let spans = [1, 2, 3, 5, 30, 300, 7440].map { $0 * second }
  fileprivate static let rests = [0, 1, 5, 120].map { $0 * second }
  fileprivate static let counts = [1, 2, 3, 5, 8, 64, 512, 1024]
  fileprivate static let rates = [nil, 1, 2, 10, 100_000]
  fileprivate static let ranges: [[ClosedRange<UInt16>]] = [
    [5000...5003], [1024...1087, 50001...50064], [1...127], [5000...5000], [50001...50016, 60000...60001],
    [1024...1279],
  ]
  fileprivate static let inner = IPv4Network(IPv4Address(10, 9, 0, 0), prefixLength: 24)
  fileprivate static let exempt = IPv4Network(IPv4Address(172, 16, 0, 0), prefixLength: 12)
  /// What a host may come to have outside; the last overlaps the inside network.
  fileprivate static let hosts: [Configuration.MachineAddress?] = [
    address(203, 0, 113, 5, gateway: IPv4Address(203, 0, 113, 1)), nil,
    address(203, 0, 113, 5, gateway: IPv4Address(203, 0, 113, 77)),
    address(198, 18, 0, 1, gateway: IPv4Address(198, 18, 0, 254)),
    address(203, 0, 113, 7, gateway: nil), address(192, 168, 1, 9, gateway: nil),
  ]

  private static func address(
    _ a: UInt8, _ b: UInt8, _ c: UInt8, _ d: UInt8, gateway: IPv4Address?
  ) -> Configuration.MachineAddress {
    Configuration.MachineAddress(IPv4Address(a, b, c, d), prefixLength: 24, gateway: gateway)
  }
}

extension Input {
  /// One of the changes; as many kinds as ``Step/changeCount`` says.
  mutating func change() -> Change {
    switch Int(byte()) % Step.changeCount {
    case 0:
      var filtering = Configuration.FilteringByProtocol()
      filtering.udp = pickCase()
      filtering.tcp = pickCase()
      filtering.icmp = pickCase()
      return Change { [filtering] configuration, _ in configuration.nat.filtering = filtering }
    case 1: return switches()
    case 2:
      let spans = (pick(Change.spans), pick(Change.spans), pick(Change.spans), pick(Change.spans))
      return Change { configuration, _ in
        configuration.nat.lifetimes.udpNanoseconds = spans.0
        configuration.nat.lifetimes.icmpNanoseconds = spans.1
        configuration.nat.lifetimes.tcpTransitoryNanoseconds = spans.2
        configuration.nat.lifetimes.tcpEstablishedNanoseconds = spans.3
        configuration.nat.lifetimes.tcpHalfClosedNanoseconds = spans.1
      }
    case 3:
      let (transport, port, span) = (pick([TransportProtocol.udp, .tcp]), self.port(), pick(Change.spans))
      return Change { configuration, _ in
        configuration.nat.lifetimes.ports.removeAll { $0.transport == transport && $0.port == port }
        if span > 1_000_000_000 {
          configuration.nat.lifetimes.ports.append(.init(transport, port, nanoseconds: span))
        }
      }
    case 4:
      let counts = (pick(Change.counts), pick(Change.counts), pick(Change.counts), pick(Change.counts))
      let rate = pick(Change.rates)
      return Change { configuration, _ in
        configuration.nat.limits.sessions = counts.0
        configuration.nat.limits.bindings = counts.1
        configuration.nat.limits.perHost.ports = counts.2
        configuration.nat.limits.perHost.sessions = counts.3
        configuration.nat.limits.perHost.sessionsPerSecond = rate
      }
    case 5:
      let choice: Configuration.PortChoice = pickCase()
      let rest = pick(Change.rests)
      return Change { configuration, _ in
        configuration.nat.portChoice = choice
        configuration.nat.portRestNanoseconds = rest
      }
    case 6: return poolAddress()
    case 7: return Change { configuration, _ in configuration.nat.pool.reverse() }
    case 8: return newStatic()
    case 9:
      let which = Int(byte())
      return Change { configuration, _ in
        guard !configuration.statics.isEmpty else { return }
        configuration.statics.remove(at: which % configuration.statics.count)
      }
    case 10: return networks()
    case 11:
      let hop: IPv4Address? = pick([IPv4Address(203, 0, 113, 1), IPv4Address(203, 0, 113, 77), nil])
      return Change { configuration, _ in configuration.interfaces.gateway = hop }
    case 12:
      let address = pick(Change.hosts)
      return Change { _, host in host.outside = address }
    case 13:
      let ports: [UInt16] = [port(), port()].sorted()
      let isTCP = byte() & 1 == 0
      return Change { _, host in
        if isTCP { host.tcpPorts = ports } else { host.udpPorts = ports }
      }
    default:
      let (errors, clamp) = (pick(Change.counts), byte())
      return Change { configuration, _ in
        configuration.nat.icmpErrorsPerSecond = errors
        configuration.nat.tcp.mssClamp = [.off, .auto, .limit(536)][Int(clamp) % 3]
      }
    }
  }

  private mutating func pickCase<Word: CaseIterable>() -> Word { pick(Array(Word.allCases)) }

  private mutating func switches() -> Change {
    let bits = byte()
    let exhaustion: Configuration.Exhaustion = pickCase()
    return Change { configuration, _ in
      configuration.nat.hairpin = bits & 1 == 0
      configuration.nat.inboundRefresh = bits & 2 != 0 ? .all : bits & 64 != 0 ? .off : .peers
      configuration.nat.tcp.loose = bits & 4 != 0
      configuration.nat.tcp.afterReset = bits & 8 == 0 ? .established : .transitory
      configuration.nat.unsolicitedSYN = bits & 16 == 0 ? .answer : .silent
      configuration.nat.parity = bits & 32 == 0
      configuration.nat.pooling = bits & 64 == 0 ? .paired : .arbitrary
      configuration.nat.exhaustion = exhaustion
    }
  }

  /// One more, one less, or one with other ports.
  private mutating func poolAddress() -> Change {
    let address = IPv4Address(publicAddress())
    let ranges = pick(Change.ranges)
    let isGone = byte() & 1 != 0
    return Change { configuration, _ in
      // The host's own is named otherwise.
      let name =
        configuration.interfaces.outside.hasMachineAddress && address.rawValue & 1 == 1 ? .machine : address
      let place = configuration.nat.pool.firstIndex { $0.address == name }
      if let place, isGone {
        configuration.nat.pool.remove(at: place)
      } else if let place {
        configuration.nat.pool[place].ports = ranges
      } else {
        configuration.nat.pool.append(.init(name, ports: ranges))
      }
    }
  }

  /// As `portico static add` asks for one.
  private mutating func newStatic() -> Change {
    let transport = pick(["tcp", "udp", "icmp", "all"])
    let (outer, outerPort) = (IPv4Address(publicAddress()), port())
    let (inner, innerPort) = (IPv4Address(host()), port())
    let terms = byte()
    let remotes = ["198.51.100.7", "198.51.100.0/24", "142.250.195.100", "172.16.5.5:53"]
    return Change { configuration, _ in
      let onHost = configuration.interfaces.outside.hasMachineAddress && outer.rawValue & 1 == 1
      let address = onHost && transport != "all" ? "host" : "\(outer)"
      var entry = ["protocol": transport]
      entry["public"] = transport == "all" ? address : "\(address):\(outerPort)"
      entry["private"] = transport == "all" ? "\(inner)" : "\(inner):\(innerPort)"
      if terms & 1 != 0 { entry["direction"] = "inbound" }
      if terms & 2 != 0 { entry["once"] = "true" }
      if terms & 4 != 0 { entry["lifetime"] = "\(1 + terms >> 6)s" }
      if terms & 8 != 0 { entry["remote"] = remotes[Int(terms >> 4 & 3)] }
      let known = configuration.statics
      // What may not be says so, and changes nothing.
      guard let mapping = try? configuration.staticMapping(from: entry, beside: known) else { return }
      configuration.statics.append(mapping)
    }
  }

  private mutating func networks() -> Change {
    let bits = byte()
    return Change { configuration, _ in
      configuration.routes.removeAll { $0.network == Change.inner }
      configuration.nat.insideNetworks.removeAll { $0 == Change.inner }
      if bits & 1 != 0 {
        configuration.routes.append(.init(network: Change.inner, via: IPv4Address(192, 168, 1, 254)))
        if bits & 2 != 0 { configuration.nat.insideNetworks.append(Change.inner) }
      }
      if bits & 4 != 0 {
        configuration.nat.insideNetworks = Array(configuration.nat.insideNetworks.dropFirst())
      }
      configuration.nat.exempt = bits & 8 == 0 ? [] : [Change.exempt]
    }
  }
}
