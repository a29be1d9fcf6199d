import NATConfiguration
import NATWire
import ReferenceNAT
import TestSupport

extension ReferenceSettings {
  /// The same configuration in the reference's terms.
  init(_ configuration: Configuration) {
    let interfaces = configuration.interfaces
    self.init(
      inside: Interface(interfaces.inside, defaultMAC: [0x02, 0x50, 0, 0, 0, 1], gateway: nil),
      outside: Interface(
        interfaces.outside, defaultMAC: [0x02, 0x50, 0, 0, 0, 2], gateway: interfaces.gateway))
    routes = configuration.routes.map {
      Route(ReferenceNetwork($0.network), via: ReferenceAddress($0.via))
    }
    let nat = configuration.nat
    insideNetworksAsked = nat.insideNetworks.map { ReferenceNetwork($0) }
    exempt = nat.exempt.map { ReferenceNetwork($0) }
    poolAsked = nat.pool.map { PoolAddress(ReferenceAddress($0.address), $0.ports) }
    portChoice = ReferenceSettings.word(nat.portChoice)
    parity = nat.parity
    portRest = nat.portRestNanoseconds
    pooling = ReferenceSettings.word(nat.pooling)
    filtering = [
      .icmp: ReferenceSettings.word(nat.filtering.icmp), .tcp: ReferenceSettings.word(nat.filtering.tcp),
      .udp: ReferenceSettings.word(nat.filtering.udp),
    ]
    hairpin = nat.hairpin
    inboundRefresh = ReferenceSettings.word(nat.inboundRefresh)
    lifetimes.udp = nat.lifetimes.udpNanoseconds
    lifetimes.tcpEstablished = nat.lifetimes.tcpEstablishedNanoseconds
    lifetimes.tcpHalfClosed = nat.lifetimes.tcpHalfClosedNanoseconds
    lifetimes.tcpTransitory = nat.lifetimes.tcpTransitoryNanoseconds
    lifetimes.icmp = nat.lifetimes.icmpNanoseconds
    lifetimes.fragment = nat.lifetimes.fragmentNanoseconds
    for port in nat.lifetimes.ports {
      lifetimes.ports[PortKey(ReferenceProtocol(port.transport), port.port)] = port.nanoseconds
    }
    limits.bindings = nat.limits.bindings
    limits.sessions = nat.limits.sessions
    limits.hostPorts = nat.limits.perHost.ports
    limits.hostSessions = nat.limits.perHost.sessions
    limits.hostSessionsPerSecond = nat.limits.perHost.sessionsPerSecond.map { UInt64($0) }
    exhaustion =
      switch nat.exhaustion {
      case .prohibited: .prohibited
      case .hostUnreachable: .hostUnreachable
      case .silent: .silent
      }
    evict = ReferenceSettings.word(nat.evict)
    unsolicitedSYN = ReferenceSettings.word(nat.unsolicitedSYN)
    loose = nat.tcp.loose
    windowTracking = nat.tcp.windowTracking
    afterReset = ReferenceSettings.word(nat.tcp.afterReset)
    mssClamp =
      switch nat.tcp.mssClamp {
      case .auto: .auto
      case .off: .off
      case .limit(let limit): .limit(Int(limit))
      }
    fragmentDatagrams = nat.fragments.datagrams
    fragmentMemory = Int(nat.fragments.memoryBytes)
    icmpErrorsPerSecond = UInt64(nat.icmpErrorsPerSecond)
    statics = configuration.statics.map {
      switch $0 {
      case .portForward(let transport, let publicEndpoint, let privateEndpoint, let terms):
        .forward(
          ReferenceProtocol(transport), public: ReferenceEndpoint(publicEndpoint),
          private: ReferenceEndpoint(privateEndpoint), terms: Terms(terms))
      case .oneToOne(let publicAddress, let privateAddress):
        .oneToOne(public: ReferenceAddress(publicAddress), private: ReferenceAddress(privateAddress))
      }
    }
  }

  /// The same word of the configuration file.
  private static func word<From: RawRepresentable, To: RawRepresentable>(_ value: From) -> To
  where From.RawValue == String, To.RawValue == String {
    guard let same = To(rawValue: value.rawValue) else {
      preconditionFailure("the reference has no \(value.rawValue)")
    }
    return same
  }
}

extension ReferenceSettings.Terms {
  fileprivate init(_ terms: Configuration.ForwardTerms) {
    self.init()
    isInboundOnly = terms.direction == .inbound
    if let remote = terms.remote {
      remotes = ReferenceNetwork(remote.network)
      remotePort = remote.port
    }
    isOneShot = terms.once
    lifetime = terms.lifetimeNanoseconds
  }
}

extension ReferenceSettings.Interface {
  fileprivate init(_ interface: Configuration.Interface, defaultMAC: [UInt8], gateway: IPv4Address?) {
    self.init(
      ReferenceAddress(interface.address), Int(interface.network.prefixLength),
      mac: interface.mac.map(octets) ?? defaultMAC, mtu: interface.mtu ?? 1500,
      gateway: gateway.map { ReferenceAddress($0) })
  }
}

extension ReferenceAddress {
  init(_ address: IPv4Address) { self.init(address.rawValue) }
}

extension ReferenceEndpoint {
  init(_ endpoint: Endpoint) { self.init(ReferenceAddress(endpoint.address), endpoint.port) }
}

extension ReferenceNetwork {
  init(_ network: IPv4Network) { self.init(ReferenceAddress(network.address), Int(network.prefixLength)) }
}

extension ReferenceProtocol {
  init(_ transport: TransportProtocol) {
    self =
      switch transport {
      case .icmp: .icmp
      case .tcp: .tcp
      case .udp: .udp
      }
  }
}

/// The six octets of a MAC address as they are sent.
func octets(_ mac: MACAddress) -> [UInt8] {
  (0..<6).map { UInt8(truncatingIfNeeded: mac.rawValue >> UInt64(40 - 8 * $0)) }
}
