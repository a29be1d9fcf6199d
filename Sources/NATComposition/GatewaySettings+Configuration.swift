public import NATConfiguration
import NATEngine
public import NATGateway
import NATTable
import NATWire

extension GatewaySettings {
  /// IPv4 and TCP headers without options. The MSS is the MTU less these (RFC 9293 section 3.7.1).
  private static let headersOfSegment = 40

  /// The settings of a gateway with this configuration.
  public init(_ configuration: Configuration) {
    let nat = configuration.nat
    let inside = Interface(
      .inside, configuration.interfaces.inside, defaultMAC: GatewaySettings.defaultMAC.inside)
    let outside = Interface(
      .outside, configuration.interfaces.outside, defaultMAC: GatewaySettings.defaultMAC.outside)
    self.init([inside, outside], insideNetworks: nat.insideNetworks, table: TableSettings(configuration))
    routes = configuration.routes.map { StaticRoute($0.network, via: $0.via, on: .inside) }
    if let gateway = configuration.interfaces.gateway {
      routes.append(StaticRoute(IPv4Network(.any, prefixLength: 0), via: gateway, on: .outside))
    }
    exempt = nat.exempt
    translator = TranslatorSettings(nat)
    translator.maximumSegmentSize =
      switch nat.tcp.mssClamp {
      case .off: 0
      case .limit(let limit): limit
      case .auto: UInt16(clamping: min(inside.mtu, outside.mtu) - GatewaySettings.headersOfSegment)
      }
    exhaustion =
      switch nat.exhaustion {
      case .prohibited: .prohibited
      case .hostUnreachable: .hostUnreachable
      case .silent: .silent
      }
    answersUnsolicitedSYN = nat.unsolicitedSYN == .answer
    fragments.datagrams = nat.fragments.datagrams
    fragments.memory = Int(nat.fragments.memoryBytes)
    fragments.lifetime = nat.lifetimes.fragmentNanoseconds
    icmpErrorsPerSecond = nat.icmpErrorsPerSecond
  }
}

extension Interface {
  /// Ethernet's MTU, used if neither the configuration nor the device gives one.
  private static let defaultMTU = 1500

  fileprivate init(_ index: InterfaceIndex, _ interface: Configuration.Interface, defaultMAC: MACAddress) {
    self.init(
      index, address: interface.address, prefixLength: Int(interface.network.prefixLength),
      mac: interface.mac ?? defaultMAC, mtu: interface.mtu ?? Interface.defaultMTU)
    isShared = interface.hasMachineAddress
  }
}

extension TranslatorSettings {
  fileprivate init(_ nat: Configuration.NAT) {
    self.init()
    tcpFiltering = Filtering(nat.filtering.tcp)
    udpFiltering = Filtering(nat.filtering.udp)
    icmpFiltering = Filtering(nat.filtering.icmp)
    hairpin = nat.hairpin
    inboundRefresh =
      switch nat.inboundRefresh {
      case .peers: .peers
      case .all: .all
      case .off: .off
      }
    loose = nat.tcp.loose
    resetIsFinal = nat.tcp.afterReset == .transitory
    portsPerHost = nat.limits.perHost.ports
    sessionsPerHost = nat.limits.perHost.sessions
    sessionsPerSecond = nat.limits.perHost.sessionsPerSecond ?? 0
  }
}

extension Filtering {
  fileprivate init(_ filtering: Configuration.Filtering) {
    self =
      switch filtering {
      case .endpointIndependent: .endpointIndependent
      case .addressDependent: .addressDependent
      case .addressAndPortDependent: .addressAndPortDependent
      }
  }
}

extension TableSettings {
  init(_ configuration: Configuration) {
    let nat = configuration.nat
    self.init(pool: nat.pool.map { PoolAddress($0.address, ports: $0.ports) })
    workers = configuration.workers
    bindingLimit = nat.limits.bindings
    sessionLimit = nat.limits.sessions
    tracksWindows = nat.tcp.windowTracking
    evictsOldestTransitory = nat.evict == .oldestTransitory
    policy = PoolPolicy(
      portChoice: PortChoice(nat.portChoice), parity: nat.parity, paired: nat.pooling == .paired,
      portRest: nat.portRestNanoseconds)
    lifetimes = Lifetimes(
      icmp: nat.lifetimes.icmpNanoseconds, udp: nat.lifetimes.udpNanoseconds,
      tcpEstablished: nat.lifetimes.tcpEstablishedNanoseconds,
      tcpHalfClosed: nat.lifetimes.tcpHalfClosedNanoseconds,
      tcpTransitory: nat.lifetimes.tcpTransitoryNanoseconds)
    for port in nat.lifetimes.ports {
      if port.transport == .tcp {
        lifetimes.tcpPorts[port.port] = port.nanoseconds
      } else {
        lifetimes.udpPorts[port.port] = port.nanoseconds
      }
    }
    for mapping in configuration.statics {
      switch mapping {
      case .portForward(let transport, let publicEndpoint, let privateEndpoint, let terms):
        forwards.append(
          PortForward(
            transport, public: publicEndpoint, private: privateEndpoint, terms: PortForwardTerms(terms)))
      case .oneToOne(let publicAddress, let privateAddress):
        oneToOne.append(OneToOneMapping(public: publicAddress, private: privateAddress))
      }
    }
  }
}

extension PortForwardTerms {
  fileprivate init(_ terms: Configuration.ForwardTerms) {
    self.init()
    isInboundOnly = terms.direction == .inbound
    isOneShot = terms.once
    if let remote = terms.remote {
      remotes = remote.network
      remotePort = remote.port ?? 0
    }
    lifetime = terms.lifetimeNanoseconds ?? 0
  }
}

extension PortChoice {
  fileprivate init(_ choice: Configuration.PortChoice) {
    self =
      switch choice {
      case .preserve: .preserve
      case .random: .random
      case .sequential: .sequential
      }
  }
}
