import NATConfiguration
import NATWire
import TestSupport

/// A host, and the MAC address that its frames carry: its own, or that of its router.
struct Station {
  var address: IPv4Address
  var mac: [UInt8]

  init(_ address: IPv4Address, mac last: UInt8) {
    self.address = address
    mac = [0x0A, 0, 0, 0, 0, last]
  }
}

/// A random but valid configuration, and the hosts around the gateway.
struct Surroundings {
  var configuration: Configuration
  var insideHosts: [Station] = []
  var remoteHosts: [Station] = []
  /// Outside, in networks that are not translated. May be empty.
  var exemptHosts: [Station] = []
  /// The gateway's own addresses outside: of the pool and of static mappings.
  var publicAddresses: [IPv4Address] = []
  /// Whether each side's capture holds Ethernet frames.
  var isEthernet: (inside: Bool, outside: Bool) = (true, true)

  private static let second: UInt64 = 1_000_000_000

  init(_ features: Features, _ dice: inout Dice) {
    let insideChoices: [(IPv4Address, Int)] = [
      (IPv4Address(192, 168, 1, 1), 24), (IPv4Address(10, 0, 0, 1), 8), (IPv4Address(192, 168, 1, 1), 29),
    ]
    let (insideAddress, insidePrefix) = dice.pick(insideChoices)
    let outsidePrefix = dice.pick([24, 24, 29])
    let gateway = IPv4Address(203, 0, 113, 1)
    let mtus: [Int?] = [nil, nil, 1400, 1280, 576, 9000]
    let inside = Configuration.Interface(
      name: "inside", address: insideAddress, prefixLength: insidePrefix,
      mac: dice.percent(20) ? MACAddress(0x0A11_2233_4455) : nil, mtu: dice.pick(mtus))
    let outside = Configuration.Interface(
      name: "outside", address: IPv4Address(203, 0, 113, 5), prefixLength: outsidePrefix,
      mac: dice.percent(20) ? MACAddress(0x0A66_7788_99AA) : nil, mtu: dice.pick(mtus))
    var routes: [Configuration.Route] = []
    let router = IPv4Address(insideAddress.rawValue + 5)
    if dice.percent(40) {
      let network = IPv4Network(IPv4Address(172, 20, 0, 0), prefixLength: 24)
      routes.append(Configuration.Route(network: network, via: router))
    }
    configuration = Configuration(
      interfaces: Configuration.Interfaces(
        inside: inside, outside: outside, gateway: dice.percent(90) ? gateway : nil),
      routes: routes)

    for index in 1...3 {
      insideHosts.append(
        Station(IPv4Address(insideAddress.rawValue + UInt32(index)), mac: UInt8(0x10 + index)))
    }
    if !routes.isEmpty { insideHosts.append(Station(IPv4Address(172, 20, 0, 7), mac: 0x1F)) }
    remoteHosts = [
      Station(IPv4Address(198, 51, 100, 7), mac: 0x20), Station(IPv4Address(198, 51, 100, 8), mac: 0x20),
      Station(IPv4Address(203, 0, 113, 4), mac: 0x21), Station(gateway, mac: 0x20),
    ]
    chooseRules(features, &dice)
    chooseLifetimes(features, &dice)
    chooseLimits(features, &dice)
    notePublicAddresses()
    if features.contains(.statics), dice.percent(60) { addStatics(dice.number(1...5), features, &dice) }
    if dice.percent(10) { isEthernet.inside = false }
    if dice.percent(10) { isEthernet.outside = false }
  }

  private mutating func chooseRules(_ features: Features, _ dice: inout Dice) {
    var nat = Configuration(interfaces: configuration.interfaces, routes: configuration.routes).nat
    nat.lifetimes = configuration.nat.lifetimes
    nat.limits = configuration.nat.limits
    exemptHosts = []
    if dice.percent(15) {
      // The last inside host is in no network that is translated.
      let host = insideHosts[0].address
      nat.insideNetworks = [
        IPv4Network(host, prefixLength: 32), IPv4Network(insideHosts[1].address, prefixLength: 31),
      ].filter { configuration.interfaces.inside.network.contains($0.address) }
    }
    if dice.percent(30) {
      nat.exempt = [IPv4Network(IPv4Address(100, 64, 0, 0), prefixLength: 24)]
      exemptHosts = [Station(IPv4Address(100, 64, 0, 7), mac: 0x20)]
      if dice.percent(30) {
        nat.exempt.append(IPv4Network(IPv4Address(203, 0, 113, 4), prefixLength: 32))
        exemptHosts.append(remoteHosts[2])
      }
    }
    if dice.percent(75) { nat.pool = choosePool(&dice) }
    nat.portChoice = dice.pick([.sequential, .sequential, .preserve, .random])
    nat.parity = dice.percent(60)
    nat.portRestNanoseconds = dice.pick([0, 1, 10, 120, 120, 600]) * Surroundings.second
    nat.pooling = dice.percent(60) ? .paired : .arbitrary
    nat.filtering.udp = dice.pick(Configuration.Filtering.allCases)
    nat.filtering.tcp = dice.pick(Configuration.Filtering.allCases)
    nat.filtering.icmp = dice.pick(Configuration.Filtering.allCases)
    nat.hairpin = features.contains(.hairpin) && dice.percent(70)
    nat.inboundRefresh = dice.pick(Configuration.InboundRefresh.allCases)
    nat.exhaustion = dice.pick(Configuration.Exhaustion.allCases)
    if features.contains(.evict), dice.percent(40) { nat.evict = .oldestTransitory }
    nat.unsolicitedSYN = features.contains(.unsolicitedSYNAnswers) && dice.percent(70) ? .answer : .silent
    nat.tcp.loose = dice.percent(30)
    nat.tcp.windowTracking = features.contains(.windowTracking) && dice.percent(40)
    nat.tcp.afterReset = dice.pick(Configuration.AfterReset.allCases)
    nat.tcp.mssClamp = dice.pick([.auto, .off, .limit(UInt16(dice.number(88...1460)))])
    nat.icmpErrorsPerSecond = dice.pick([1000, 1000, 0, 1, 2, 5])
    configuration.nat = nat
  }

  private func choosePool(_ dice: inout Dice) -> [Configuration.PoolAddress] {
    let addresses = [
      IPv4Address(203, 0, 113, 5), IPv4Address(203, 0, 113, 2), IPv4Address(198, 18, 0, 1),
      IPv4Address(198, 18, 0, 2),
    ]
    let ranges: [[ClosedRange<UInt16>]] = [
      [1024...65535], [1024...65535], [2000...2003], [1023...1026], [5000...5000], [1...65535],
      [80...81, 4000...4001, 65534...65535],
    ]
    let count = dice.number(1...4)
    let first = dice.number(0...4 - count)
    return (first..<first + count).map { Configuration.PoolAddress(addresses[$0], ports: dice.pick(ranges)) }
  }

  private mutating func chooseLifetimes(_ features: Features, _ dice: inout Dice) {
    guard dice.percent(60) else { return }
    var lifetimes = Configuration.Lifetimes()
    lifetimes.udpNanoseconds = dice.pick([1, 30, 120, 300]) * Surroundings.second
    lifetimes.tcpEstablishedNanoseconds = dice.pick([2, 60, 7440]) * Surroundings.second
    lifetimes.tcpHalfClosedNanoseconds = dice.pick([1, 20, 100, 7440]) * Surroundings.second
    lifetimes.tcpTransitoryNanoseconds = dice.pick([1, 6, 240]) * Surroundings.second
    lifetimes.icmpNanoseconds = dice.pick([1, 10, 60]) * Surroundings.second
    lifetimes.fragmentNanoseconds = dice.pick([1, 5, 30]) * Surroundings.second
    if dice.percent(50) {
      lifetimes.ports = [
        .init(.tcp, 80, nanoseconds: 20 * Surroundings.second),
        .init(.udp, 53, nanoseconds: 15 * Surroundings.second),
        .init(.udp, 2000, nanoseconds: 500 * Surroundings.second),
      ]
    }
    if !features.contains(.shortEstablishedLifetimes) {
      let transitory = lifetimes.tcpTransitoryNanoseconds
      lifetimes.tcpEstablishedNanoseconds = max(lifetimes.tcpEstablishedNanoseconds, transitory)
      for place in lifetimes.ports.indices where lifetimes.ports[place].transport == .tcp {
        lifetimes.ports[place].nanoseconds = max(lifetimes.ports[place].nanoseconds, transitory)
      }
    }
    configuration.nat.lifetimes = lifetimes
  }

  private mutating func chooseLimits(_ features: Features, _ dice: inout Dice) {
    var limits = Configuration.Limits()
    // Eviction needs limits.
    let share = configuration.nat.evict == .never ? 20 : 50
    if dice.percent(share) { limits.bindings = dice.number(1...10) }
    if dice.percent(share) { limits.sessions = dice.number(1...15) }
    if dice.percent(share) { limits.perHost.ports = dice.number(1...5) }
    if dice.percent(share) { limits.perHost.sessions = dice.number(1...8) }
    if features.contains(.sessionRate), dice.percent(20) {
      limits.perHost.sessionsPerSecond = dice.pick([1, 2, 3, 10])
    }
    configuration.nat.limits = limits
    if dice.percent(30) { configuration.nat.fragments.datagrams = dice.number(1...3) }
    if dice.percent(20) { configuration.nat.fragments.memoryBytes = 64 << 10 }
  }

  /// What a port forward takes, if not everything, and how long it stays.
  private func chooseTerms(of entry: inout [String: String], _ dice: inout Dice) {
    if dice.percent(25) { entry["direction"] = "inbound" }
    if dice.percent(25) {
      let remote = dice.pick(remoteHosts).address
      entry["remote"] = dice.pick(["\(remote)", "\(remote):80", "\(remote):2000", "198.51.100.0/24"])
    }
    if dice.percent(15) { entry["once"] = "true" }
    if dice.percent(15) { entry["lifetime"] = dice.pick(["1s", "10s", "120s"]) }
  }

  /// Static mappings that the rules of the configuration accept.
  private mutating func addStatics(_ count: Int, _ features: Features, _ dice: inout Dice) {
    let candidates =
      [IPv4Address(203, 0, 113, 6), IPv4Address(203, 0, 113, 3), IPv4Address(198, 18, 0, 9)]
      + publicAddresses
    for _ in 0..<count {
      let host = dice.pick(insideHosts).address
      let address = dice.pick(candidates)
      let transport = dice.pick(["all", "tcp", "udp", "icmp"])
      let publicPort = dice.pick([80, 1024, 2001, 5000, 7])
      let privatePort = dice.pick([80, 1024, 2000, 7])
      let suffix = transport == "all" ? ("", "") : (":\(publicPort)", ":\(privatePort)")
      var entry = [
        "protocol": transport, "public": "\(address)\(suffix.0)", "private": "\(host)\(suffix.1)",
      ]
      if features.contains(.forwardTerms), transport != "all" { chooseTerms(of: &entry, &dice) }
      add(entry)
    }
    notePublicAddresses()
  }

  /// Adds a static mapping, if the rules of the configuration accept it.
  private mutating func add(_ entry: [String: String]) {
    guard let mapping = try? configuration.staticMapping(from: entry, beside: configuration.statics) else {
      return
    }
    configuration.statics.append(mapping)
    if configuration.statics.contains(where: { isSameAsOneToOne($0) }) { configuration.statics.removeLast() }
  }

  /// Whether a forward has both endpoints of its host's 1:1 mapping. The table lists such a forward and the port of the
  /// mapping as one entry, and the counter `bindings` counts two.
  private func isSameAsOneToOne(_ mapping: Configuration.StaticMapping) -> Bool {
    guard case .portForward(_, let outer, let inner, _) = mapping, outer.port == inner.port else {
      return false
    }
    return configuration.statics.contains(
      .oneToOne(publicAddress: outer.address, privateAddress: inner.address))
  }

  private mutating func notePublicAddresses() {
    publicAddresses =
      [configuration.interfaces.outside.address] + configuration.nat.pool.map(\.address)
      + configuration.statics.map(\.publicAddress)
  }
}

// MARK: Reloads

extension Surroundings {
  /// Another configuration for the same gateway, as a reload may bring it. What needs a restart stays.
  mutating func change(_ features: Features, _ dice: inout Dice) {
    let before = configuration
    if dice.percent(20) {
      configuration.interfaces.gateway =
        configuration.interfaces.gateway == nil ? IPv4Address(203, 0, 113, 1) : nil
    }
    if dice.percent(50) { chooseRules(features, &dice) }
    if dice.percent(40) { chooseLifetimes(features, &dice) }
    if dice.percent(40) { chooseLimits(features, &dice) }
    if dice.percent(40) { configuration.nat.pool = choosePool(&dice) }
    configuration.nat.evict = before.nat.evict
    configuration.nat.fragments = before.nat.fragments
    configuration.nat.lifetimes.fragmentNanoseconds = before.nat.lifetimes.fragmentNanoseconds
    configuration.nat.tcp.windowTracking = before.nat.tcp.windowTracking
    changeStatics(features, &dice)
  }

  /// Keeps most static mappings, changes the terms of some and adds others.
  private mutating func changeStatics(_ features: Features, _ dice: inout Dice) {
    let before = configuration.statics
    configuration.statics = []
    for mapping in before where dice.percent(85) {
      var entry = mapping.entry
      if features.contains(.forwardTerms), entry["protocol"] != "all", dice.percent(10) {
        for key in ["direction", "remote", "once", "lifetime"] { entry[key] = nil }
        chooseTerms(of: &entry, &dice)
      }
      add(entry)
    }
    notePublicAddresses()
    if features.contains(.statics), dice.percent(40) { addStatics(dice.number(1...3), features, &dice) }
  }
}
